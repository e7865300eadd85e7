import type { Logger } from 'pino';
import type { Network } from '../host/cni/network.ts';
import { exists } from '../host/files.ts';
import type { Paths } from '../store/paths.ts';
import type { SandboxStore } from '../store/sandboxes.ts';
import type { Found } from './mend-each.ts';
import { guarded } from './mend-each.ts';

/** How long one CNI DEL may take, in milliseconds. */
const DETACH_MS = 60_000;

export interface RecoverNetworkNeeds {
  readonly network: Pick<Network, 'attachments' | 'detach' | 'gc'>;
  readonly sandboxes: SandboxStore;
  readonly paths: Paths;
  readonly log: Logger;
}

/** CNI state of sandboxes that are no more, and of those that stopped without a DEL. */
export async function recoverNetwork(needs: RecoverNetworkNeeds, found: Found): Promise<void> {
  const { network, sandboxes, log } = needs;
  const ready = sandboxes
    .list()
    .filter(({ state }) => state === 'ready')
    .map(({ id }) => id);
  for (const id of await network.attachments()) {
    // One that was set aside still has its directory, and perhaps running containers.
    if (sandboxes.get(id) || (await exists(`${needs.paths.sandboxRoots}/${id}`))) continue;
    await guarded(log, { sandboxId: id }, 'could not detach a pod sandbox that is gone', async () => {
      await network.detach(id, null, AbortSignal.timeout(DETACH_MS));
    });
  }
  // A plugin frees all that it is not told to keep, and we cannot tell it of another runtime's pods.
  const foreign = found.objects.some(
    ({ id, labels }) => labels['io.cri-containerd.kind'] === 'sandbox' && !sandboxes.get(id),
  );
  if (foreign) {
    log.info('pods of another CRI server are in this namespace, CNI garbage collection left out');
    return;
  }
  await guarded(log, {}, 'CNI garbage collection failed', async () => await network.gc(ready));
}
