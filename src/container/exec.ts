import type { Containerd } from '../containerd/client.ts';
import type { TaskExit } from '../containerd/tasks.ts';
import type { TypedAny } from '../containerd/typed-any.ts';
import { makeFifo } from '../host/fifo.ts';
import { ensureDir, removeTree } from '../host/files.ts';
import { killTree } from '../host/process-tree.ts';
import { collectOutput } from '../io/collect.ts';
import { during, Fault, isCode } from '../lib/fault.ts';
import { Rollback } from '../lib/rollback.ts';
import type { TaskNeeds } from './task.ts';

const SIGKILL = 9;

/** What ran, and what it said. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** One process to run in a running container, with its output collected. */
export interface ExecOrder {
  readonly containerId: string;
  readonly execId: string;
  readonly process: TypedAny;
  /** Milliseconds; 0 waits as long as it takes. */
  readonly timeoutMs: number;
  /** How long output may stay open after the process exited, in milliseconds. */
  readonly drainMs: number;
  /** Bytes kept of each stream. The rest is read and dropped. */
  readonly limitBytes: number;
}

/** Names one process that was added to a container. */
export type ExecId = Pick<ExecOrder, 'containerId' | 'execId'>;

type Needs = Pick<TaskNeeds, 'paths' | 'log'> & { readonly containerd: Pick<Containerd, 'tasks'> };

/**
 * Runs a process and waits for it. Whatever happens, the process and its children are gone afterwards,
 * and so are its FIFOs.
 * @throws Fault deadline_exceeded when it ran longer than its time-out.
 */
export async function runExec(needs: Needs, order: ExecOrder, signal: AbortSignal): Promise<ExecResult> {
  const { containerId, execId, limitBytes, drainMs } = order;
  const { tasks } = needs.containerd;
  const dir = needs.paths.execState(containerId, execId);
  const io = { stdin: '', stdout: `${dir}/stdout`, stderr: `${dir}/stderr`, terminal: false };
  await using cleanup = new Rollback((step, err) =>
    needs.log.error({ err, containerId, execId, step }, 'exec clean-up stuck'),
  );

  cleanup.onFailure('FIFOs', () => removeTree(dir));
  await ensureDir(dir);
  makeFifo(io.stdout);
  makeFifo(io.stderr);
  using output = await collectOutput(io, limitBytes);

  cleanup.onFailure('process', (late) => endProcess(needs, order, late));
  await tasks.exec({ containerId, execId, spec: order.process, ...io }, { signal });
  const { pid } = await tasks.start(containerId, execId, { signal });
  const exit = await waitOrKill(needs, order, { pid, signal });
  // A child that kept the output open must not hold the answer.
  await Promise.race([output.finished, new Promise((resolve) => setTimeout(resolve, drainMs).unref())]);
  return { exitCode: exit.exitStatus, ...output.take() };
}

/** Ends an exec that nobody waits for any more, as after a crash, and takes its FIFOs away. */
export async function endExec(needs: Needs, exec: ExecId, signal: AbortSignal): Promise<void> {
  await endProcess(needs, exec, signal);
  await removeTree(needs.paths.execState(exec.containerId, exec.execId));
}

async function waitOrKill(
  needs: Needs,
  { containerId, execId, timeoutMs }: ExecOrder,
  { pid, signal }: { pid: number; signal: AbortSignal },
): Promise<TaskExit> {
  const limit = timeoutMs > 0 ? AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) : signal;
  try {
    return await needs.containerd.tasks.wait(containerId, execId, { signal: limit });
  } catch (error) {
    await killTree(pid);
    if (!signal.aborted && limit.aborted) {
      const seconds = timeoutMs / 1000;
      throw new Fault('deadline_exceeded', `command did not end within ${seconds} s and was killed`, {
        cause: error,
      });
    }
    throw during('wait for the command', error);
  }
}

/** Kills what still runs and deletes it from the shim. Already gone is done. */
async function endProcess(
  needs: Pick<Needs, 'containerd'>,
  { containerId, execId }: ExecId,
  signal: AbortSignal,
): Promise<void> {
  const { tasks } = needs.containerd;
  try {
    const gone = await tasks.deleteProcess(containerId, execId, { signal });
    if (gone) return;
  } catch (error) {
    // What containerd says of a process that still runs differs from version to version.
    if (isCode(error, 'unavailable')) throw error;
    await tasks.kill({ containerId, execId, signal: SIGKILL }, { signal }).catch(ignoreGone);
    await tasks.wait(containerId, execId, { signal }).catch(ignoreGone);
    await tasks.deleteProcess(containerId, execId, { signal });
  }
}

function ignoreGone(error: unknown): void {
  if (!isCode(error, 'not_found')) throw error;
}
