import type { Containerd } from '../containerd/client.ts';
import { endTask } from '../containerd/end-task.ts';
import { removeCgroup } from '../host/cgroup.ts';
import type { Container } from '../store/containers.ts';
import type { TaskNeeds } from './task.ts';
import { closeIo } from './task.ts';
import { releaseVolumes, removeViews } from './volumes.ts';

/** What removing a container touches. */
export type RemoveNeeds = TaskNeeds & {
  readonly containerd: Pick<Containerd, 'tasks' | 'snapshots' | 'containers'>;
  readonly lease: string;
};

/**
 * Takes away all that a container has, whatever is left of it: task, FIFOs, volumes, record, snapshots, status.
 * The status file says `removing` first and goes last, so a crash in between is finished at the next start.
 * The task is killed whatever we know of it: an earlier clean-up may have failed. Whoever calls holds
 * the container's lock.
 */
export async function removeContainer(
  needs: RemoveNeeds,
  container: Pick<Container, 'id' | 'snapshotter'> & Partial<Pick<Container, 'cgroupsPath' | 'config'>>,
  signal: AbortSignal,
): Promise<void> {
  const { id, snapshotter, cgroupsPath, config } = container;
  await needs.containers.setStatus(id, { state: 'removing' }).catch((err: unknown) => {
    // On a full disk this must go on: it is how the kubelet makes room.
    needs.log.warn({ err, containerId: id }, 'could not write down that a container is being removed');
  });
  await endTask(needs.containerd, id, signal);
  // A runtime that was killed while it created the container leaves the cgroup that it had made.
  if (cgroupsPath) await removeCgroup(cgroupsPath);
  await closeIo(needs, id);
  await releaseVolumes(needs, id);
  needs.stopping.delete(id);
  needs.inits.release(id);
  await needs.containers.deleteRecord(id, { signal });
  // Without a record we do not know where its snapshots are; then the lease was all that held them.
  if (snapshotter !== '') {
    await needs.containerd.snapshots.remove(snapshotter, id, { signal, lease: needs.lease });
    if (config) await removeViews(needs, { id, snapshotter, config }, signal);
  }
  await needs.containers.forget(id);
}
