import { isCode } from '../lib/fault.ts';
import { SIGKILL, signalNumber } from '../spec/signal.ts';
import type { Container } from '../store/containers.ts';
import type { TaskNeeds } from './task.ts';
import { recordExit, signalTask } from './task.ts';

/** After this long without the exit event of a killed container, containerd is asked, in milliseconds. */
const ASK_MS = 1_000;

/**
 * Stops a container: its stop signal, a grace period, then KILL. Returns when its exit is written
 * down. One that does not run is done, but a start that is under way is waited for. A repeated call
 * does not send the stop signal again, but shortens the wait when its own grace period is shorter.
 * @param graceMs 0 kills at once.
 */
export async function stopContainer(
  needs: TaskNeeds,
  container: Container,
  graceMs: number,
  abort: AbortSignal,
): Promise<void> {
  const { id } = container;
  if (container.state === 'created') (await needs.locks.take(`container/${id}`, abort))[Symbol.dispose]();
  if (needs.containers.get(id)?.state !== 'running') return;
  if (graceMs > 0) {
    await signalOnce(needs, container, abort);
    if (await exitedWithin(needs, id, graceMs, abort)) return;
    needs.log.info({ containerId: id, graceMs }, 'grace period over, killing');
  }
  // One that is still there after that, as when it is frozen, is for containerd to kill.
  if ((await needs.inits.kill(id)) && (await exitedWithin(needs, id, ASK_MS, abort))) return;
  await signalTask(needs, id, SIGKILL, { all: true, abort });
  while (!(await exitedWithin(needs, id, ASK_MS, abort))) {
    await askForExit(needs, id, abort);
  }
}

async function signalOnce(needs: TaskNeeds, container: Container, abort: AbortSignal): Promise<void> {
  const { id, stopSignal } = container;
  if (needs.stopping.has(id)) return;
  needs.stopping.add(id);
  try {
    const signal = signalNumber(stopSignal);
    if (!(await needs.inits.signal(id, signal))) await signalTask(needs, id, signal, { abort });
  } catch (error) {
    needs.stopping.delete(id);
    throw error;
  }
}

async function exitedWithin(needs: TaskNeeds, id: string, ms: number, abort: AbortSignal): Promise<boolean> {
  if (needs.containers.get(id)?.state !== 'running') return true;
  return await needs.exits.next(id, ms, abort);
}

/** The event of an exit can be lost with a broken stream, so a killed container is looked at. */
async function askForExit(needs: TaskNeeds, id: string, signal: AbortSignal): Promise<void> {
  try {
    const task = await needs.containerd.tasks.get(id, '', { signal });
    if (task.status === 'stopped')
      await recordExit(needs, id, { exitCode: task.exitStatus, exitedAt: task.exitedAt });
  } catch (error) {
    if (!isCode(error, 'not_found')) throw error;
    await recordExit(needs, id, null);
  }
}
