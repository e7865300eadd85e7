import { removeContainer } from '../../container/remove.ts';
import { allSettled } from '../../lib/all-settled.ts';
import { removeSandboxFiles } from '../../sandbox/files.ts';
import { containersOf } from '../../store/containers.ts';
import type { StopSandboxNeeds } from './stop-pod-sandbox.ts';
import { stopSandbox } from './stop-pod-sandbox.ts';

/**
 * Takes away a sandbox with its containers, whatever is left of them, and stops it first when need be.
 * One that is gone by the time its lock is free is done.
 */
export async function removeSandbox(needs: StopSandboxNeeds, id: string, signal: AbortSignal): Promise<void> {
  using _alone = await needs.locks.take(`sandbox/${id}`, signal);
  const sandbox = needs.sandboxes.get(id);
  if (!sandbox) return;
  await stopSandbox(needs, sandbox, signal);
  const removals = containersOf(needs.containers, id).map(async (container) => {
    using _held = await needs.locks.take(`container/${container.id}`, signal);
    await removeContainer(needs, container, signal);
  });
  await allSettled(removals);
  // Either of them without the other is for the next start, or the next call, to remove.
  await allSettled([
    removeSandboxFiles(needs.paths.sandboxState(id)),
    needs.sandboxes.deleteRecord(id, { signal }),
  ]);
  await needs.sandboxes.forget(id);
}
