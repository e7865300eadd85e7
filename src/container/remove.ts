import type { Containerd } from '../containerd/client.ts';
import type { Container } from '../store/containers.ts';
import type { TaskNeeds } from './task.ts';
import { killAndDelete, releaseTask } from './task.ts';

/** What removing a container touches. */
export type RemoveNeeds = TaskNeeds & {
  readonly containerd: Pick<Containerd, 'tasks' | 'snapshots'>;
  readonly lease: string;
};

/**
 * Takes away all that a container has, whatever is left of it: task, FIFOs, record, snapshot, status.
 * The status file says `removing` first and goes last, so a crash in between is finished at the next start.
 */
export async function removeContainer(
  needs: RemoveNeeds,
  container: Pick<Container, 'id' | 'snapshotter' | 'state'>,
  signal: AbortSignal,
): Promise<void> {
  const { id, snapshotter } = container;
  await needs.containers.setStatus(id, { state: 'removing' });
  if (container.state === 'unknown') await killAndDelete(needs, id, signal);
  await releaseTask(needs, id, signal);
  await needs.containers.deleteRecord(id);
  // Without a record we do not know where its snapshot is; then the lease was all that held it.
  if (snapshotter !== '')
    await needs.containerd.snapshots.remove(snapshotter, id, { signal, lease: needs.lease });
  await needs.containers.forget(id);
}
