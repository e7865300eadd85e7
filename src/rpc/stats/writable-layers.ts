import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '../../lib/call.ts';
import type { WritableLayer } from '../../stats/writable-layer.ts';
import type { Container } from '../../store/containers.ts';
import type { Services } from '../services.ts';

/** Walking the files of all containers may take minutes: stats then do without, as long as there is no look to tell of. */
const PATIENCE_MS = 2_000;

/** What each container has written, from the last look that was taken at containerd's snapshots. */
export type WritableLayers = (container: Container) => WritableLayer | null;

/** Never fails, and never waits long: all else of the stats is known without containerd. */
export async function writableLayers(
  { diskUsage }: Pick<Services, 'diskUsage'>,
  { signal, log }: Pick<Call, 'signal' | 'log'>,
): Promise<WritableLayers> {
  const measured = diskUsage.get(signal).catch((err: unknown) => {
    log.warn({ err }, 'what containers have written could not be measured');
    return null;
  });
  using stack = new DisposableStack();
  const patience = stack.adopt(new AbortController(), (controller) => controller.abort());
  const last = await Promise.race([
    measured,
    sleep(PATIENCE_MS, null, { signal: patience.signal, ref: false }).catch(() => null),
  ]);
  return ({ id, snapshotter }) => {
    const known = last?.snapshotters.get(snapshotter);
    const usage = known?.actives.get(id);
    if (!last || !known || !usage) return null;
    return {
      at: BigInt(last.at) * 1_000_000n,
      mountpoint: known.root,
      bytes: usage.size,
      inodes: usage.inodes,
    };
  };
}
