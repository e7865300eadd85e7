import { constants } from 'node:os';
import { during, isCode } from '../lib/fault.ts';
import { nowNs } from '../lib/time.ts';
import type { Containerd } from './client.ts';

export type TasksAndRecords = Pick<Containerd, 'tasks' | 'containers'>;

/** How long taking a stand-in away may take, in milliseconds. */
const TAKE_AWAY_MS = 10_000;

/** containerd wants a spec, and reads none of it to end a task. */
const NO_SPEC = {
  typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/Spec',
  value: Buffer.from('{}'),
};

/**
 * Ends a task whatever its state, and deletes it. Already gone is done. One whose record is gone gets another for
 * the moment; a crash leaves it to the next call, or to whoever deletes the record of that id.
 */
export async function endTask(containerd: TasksAndRecords, id: string, signal: AbortSignal): Promise<void> {
  const found = await kill(containerd, id, signal);
  if (found || !(await isLost(containerd, id, signal))) {
    await containerd.tasks.delete(id, { signal });
    return;
  }
  const runtime = { name: 'io.containerd.runc.v2', options: null };
  const fields = { labels: {}, image: '', snapshotter: '', snapshotKey: '', extensions: {} };
  await containerd.containers.create(
    { ...fields, id, runtime, spec: NO_SPEC, createdAt: nowNs() },
    { signal },
  );
  try {
    await kill(containerd, id, signal);
    await containerd.tasks.delete(id, { signal });
  } finally {
    await containerd.containers.delete(id, { timeoutMs: TAKE_AWAY_MS });
  }
}

/** Returns when it is dead. False when containerd finds no task. */
async function kill({ tasks }: TasksAndRecords, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    await tasks.kill({ containerId: id, signal: constants.signals.SIGKILL, all: true }, { signal });
    await tasks.wait(id, '', { signal });
    return true;
  } catch (error) {
    if (isCode(error, 'not_found')) return false;
    throw during(`kill task "${id}"`, error);
  }
}

/**
 * Whether there is a task that containerd does not find: it looks for the container's record first, which
 * somebody may have deleted. Its list of tasks has it all the same.
 */
async function isLost(
  { tasks, containers }: TasksAndRecords,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await containers.get(id, { signal });
    return false;
  } catch (error) {
    if (!isCode(error, 'not_found')) throw error;
  }
  return (await tasks.list({ signal })).some((task) => task.id === id);
}
