import type { Containerd } from '../containerd/client.ts';
import { endTask } from '../containerd/end-task.ts';
import { removeCgroup } from '../host/cgroup.ts';
import { removeTree } from '../host/files.ts';
import { allSettled } from '../lib/all-settled.ts';
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
 * The status file says `removing` first and goes last, so a crash in between is finished at the next start. Whoever
 * calls holds the container's lock.
 */
export async function removeContainer(
  needs: RemoveNeeds,
  container: Pick<Container, 'id' | 'snapshotter'> & Partial<Pick<Container, 'cgroupsPath' | 'config'>>,
  signal: AbortSignal,
): Promise<void> {
  const { id } = container;
  await needs.containers.setStatus(id, { state: 'removing' }).catch((err: unknown) => {
    // On a full disk this must go on: it is how the kubelet makes room.
    needs.log.warn({ err, containerId: id }, 'could not write down that a container is being removed');
  });
  if (!needs.released.has(id)) await removeTask(needs, container, signal);
  // An exec that began as the container exited has made its directory once more.
  else await removeTree(needs.paths.containerState(id));
  await releaseVolumes(needs, id);
  // Beside each other: a snapshot without its record goes with the lease, or with containerd's next garbage collection.
  await allSettled([
    needs.containers.deleteRecord(id, { signal }),
    removeSnapshots(needs, container, signal),
  ]);
  await needs.containers.forget(id);
  needs.released.delete(id);
}

/** It is killed whatever we know of it: an earlier clean-up may have failed. */
async function removeTask(
  needs: RemoveNeeds,
  { id, cgroupsPath }: Pick<Container, 'id'> & Partial<Pick<Container, 'cgroupsPath'>>,
  signal: AbortSignal,
): Promise<void> {
  await endTask(needs.containerd, id, signal);
  // A runtime that was killed while it created the container leaves the cgroup that it had made.
  if (cgroupsPath) await removeCgroup(cgroupsPath);
  await closeIo(needs, id);
  needs.stopping.delete(id);
  needs.inits.release(id);
}

/** Without a record we do not know where they are; then the lease was all that held them. */
async function removeSnapshots(
  needs: RemoveNeeds,
  { id, snapshotter, config }: Pick<Container, 'id' | 'snapshotter'> & Partial<Pick<Container, 'config'>>,
  signal: AbortSignal,
): Promise<void> {
  if (snapshotter === '') return;
  await needs.containerd.snapshots.remove(snapshotter, id, { signal, lease: needs.lease });
  if (config) await removeViews(needs, { id, snapshotter, config }, signal);
}
