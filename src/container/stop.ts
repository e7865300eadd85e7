import { isCode } from '../lib/fault.ts';
import { nowNs } from '../lib/time.ts';
import { signalNumber } from '../spec/signal.ts';
import type { Container } from '../store/containers.ts';
import { UNKNOWN_EXIT_CODE } from './exit.ts';
import type { TaskNeeds } from './task.ts';
import { recordExit, signalTask } from './task.ts';

const SIGKILL = 9;

/** After this long without the exit event of a killed container, containerd is asked, in milliseconds. */
const ASK_MS = 1_000;

/**
 * Stops a container: its stop signal, a grace period, then KILL. Returns when its exit is written
 * down. One that does not run is done. A repeated call sends the stop signal again only to a
 * container that started anew meanwhile, but shortens the wait when its own grace period is shorter.
 * @param graceMs 0 kills at once.
 */
export async function stopContainer(
  needs: TaskNeeds & { readonly stopping: Map<string, number> },
  container: Container,
  graceMs: number,
  abort: AbortSignal,
): Promise<void> {
  const { id } = container;
  if (needs.containers.get(id)?.state !== 'running') return;
  if (graceMs > 0) {
    // The pid tells one run from the next, so that a retry does not signal the same process twice.
    if (needs.stopping.get(id) !== container.pid) {
      needs.stopping.set(id, container.pid);
      await signalTask(needs, id, signalNumber(container.stopSignal), { abort });
    }
    if (await exitedWithin(needs, id, graceMs, abort)) return;
    needs.log.info({ containerId: id, graceMs }, 'grace period over, killing');
  }
  await signalTask(needs, id, SIGKILL, { all: true, abort });
  while (!(await exitedWithin(needs, id, ASK_MS, abort))) {
    await askForExit(needs, id, abort);
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
    await recordExit(needs, id, { exitCode: UNKNOWN_EXIT_CODE, exitedAt: nowNs() });
  }
}
