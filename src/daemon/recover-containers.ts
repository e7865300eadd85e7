import { endExec } from '../container/exec-session.ts';
import type { RemoveNeeds } from '../container/remove.ts';
import { removeContainer } from '../container/remove.ts';
import { isGone, openIo, recordExit, releaseTask } from '../container/task.ts';
import { endTask } from '../containerd/end-task.ts';
import type { Task } from '../containerd/tasks.ts';
import { hasReader } from '../host/fifo.ts';
import { listDir, removeTree } from '../host/files.ts';
import { nowNs } from '../lib/time.ts';
import type { Container, ContainerRecord } from '../store/containers.ts';
import { NEW_STATUS } from '../store/containers.ts';
import type { Found } from './mend-each.ts';
import { mendEach } from './mend-each.ts';
import { reconcile } from './reconcile.ts';

/** How long undoing one half-made container may take, in milliseconds. */
const UNDO_MS = 60_000;

export type RecoverContainersNeeds = RemoveNeeds & { readonly config: { readonly maxLogLineBytes: number } };

/** Makes each container's record and its task agree. Answers how many were half-made or half-removed. */
export async function recoverContainers(needs: RecoverContainersNeeds, found: Found): Promise<number> {
  const { containers, log, paths } = needs;
  const snapshotters = new Map(found.objects.map(({ id, snapshotter }) => [id, snapshotter]));
  const source = { store: containers, root: paths.containerRoots, log };
  const ids = await mendEach(source, found.objects, async ({ id, record, status }) => {
    const container = { ...record, ...NEW_STATUS, ...(status ?? lostStatus(record)), id };
    await recoverContainer(needs, container as Container, {
      task: found.tasks.get(id) ?? (await unlistedTask(needs, container)),
      recorded: record !== null,
      snapshotter: snapshotters.get(id) ?? '',
    });
  });
  return ids.filter((id) => !containers.get(id)).length;
}

/** The task of a container that ran and is not in the list, when its shim only does not answer. */
async function unlistedTask(
  needs: RecoverContainersNeeds,
  { id, state, pid }: Pick<Container, 'id' | 'state' | 'pid'>,
): Promise<Task | null> {
  if (state !== 'running' || (await isGone(needs, id, AbortSignal.timeout(UNDO_MS)))) return null;
  return { id, execId: '', pid, status: 'unknown', exitStatus: 0, exitedAt: 0n };
}

/** Of a container whose status file is gone: its task tells whether it runs. */
function lostStatus(record: ContainerRecord | null): Partial<Container> {
  return record ? { state: 'unknown', message: 'its status file was lost' } : {};
}

async function recoverContainer(
  needs: RecoverContainersNeeds,
  container: Container,
  found: { task: Task | null; recorded: boolean; snapshotter: string },
): Promise<void> {
  const { id } = container;
  const late = AbortSignal.timeout(UNDO_MS);
  const decision = reconcile(found.recorded ? container.state : 'creating', found.task);
  needs.log.debug(
    { containerId: id, recorded: container.state, action: decision.action },
    'container reconciled',
  );
  switch (decision.action) {
    case 'undo-create':
    case 'finish-removal':
      needs.log.info(
        { containerId: id, action: decision.action },
        'clearing a half-made or half-removed container',
      );
      // It was there for all to see, so its end is told too.
      if (found.recorded && decision.action === 'finish-removal') needs.containers.restore(container);
      await removeContainer(needs, { ...container, snapshotter: found.snapshotter }, late);
      return;
    case 'undo-start':
      await endTask(needs.containerd, id, late);
      await releaseTask(needs, id, late);
      return await put(needs, container, { state: 'created', pid: 0, startedAt: 0n });
    case 'keep':
      needs.containers.restore(container);
      // A start that was cut off before its task came to be has made the FIFOs.
      return await removeTree(needs.paths.containerState(id));
    case 'delete-task':
      needs.containers.restore(container);
      return await endTask(needs.containerd, id, late).then(() => releaseTask(needs, id, late));
    case 'watch':
      await put(needs, container, {
        state: 'running',
        pid: decision.pid || container.pid,
        startedAt: container.startedAt || nowNs(),
      });
      await holdInit(needs, container, decision.pid);
      await endExecs(needs, id);
      // Only a checkpoint freezes a container, and the one who took it is gone.
      if (found.task?.status === 'paused') await needs.containerd.tasks.resume(id, { signal: late });
      return await followOutput(needs, container);
    case 'mark-exited': {
      // Where the shim still holds the FIFOs, they have output that nobody read.
      needs.containers.restore(container);
      needs.containers.put({ ...container, state: 'running' });
      if (hasReader(`${needs.paths.containerState(id)}/stdout`)) {
        await openIo(needs, container, needs.config.maxLogLineBytes);
      }
      await recordExit(needs, id, decision.exit);
    }
  }
}

/** Containerd is asked after the process was opened: it may have ended since the list, and its pid be another's. */
async function holdInit(needs: RecoverContainersNeeds, container: Container, pid: number): Promise<void> {
  if (!needs.inits.hold(container, pid)) return;
  const { id } = container;
  try {
    const task = await needs.containerd.tasks.get(id, '', { signal: AbortSignal.timeout(UNDO_MS) });
    if (task.pid === pid && task.status !== 'stopped') return;
  } catch (err) {
    needs.log.warn({ err, containerId: id }, 'could not look at a process again, containerd will signal it');
  }
  needs.inits.release(id);
}

/** Goes on with the log. Where that cannot be had the output is read all the same, or the container would stall. */
async function followOutput(needs: RecoverContainersNeeds, container: Container): Promise<void> {
  try {
    await openIo(needs, container, needs.config.maxLogLineBytes);
  } catch (err) {
    const { id, logPath } = container;
    needs.log.error({ err, containerId: id, logPath }, 'log cannot be opened again, output is dropped');
    await openIo(needs, { ...container, logPath: '' }, needs.config.maxLogLineBytes);
  }
}

async function put(
  needs: RecoverContainersNeeds,
  container: Container,
  change: Partial<Container>,
): Promise<void> {
  needs.containers.restore(container);
  await needs.containers.setStatus(container.id, change).catch((err: unknown) => {
    // It is found out again at the next start. A full disk must not leave the output unread.
    needs.log.warn({ err, containerId: container.id }, 'could not write down how a container was found');
  });
}

/** Execs whose caller went away with the cristal that served them: their directories tell their ids. */
async function endExecs(needs: RecoverContainersNeeds, id: string): Promise<void> {
  const execs = await listDir(`${needs.paths.containerState(id)}/exec`);
  for (const execId of execs) {
    await endExec(needs, { containerId: id, execId }, AbortSignal.timeout(UNDO_MS));
  }
}
