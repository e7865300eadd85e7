import type { Readable } from 'node:stream';

import type { Containerd } from '../containerd/client.ts';
import type { TaskExit, Tasks } from '../containerd/tasks.ts';
import type { TypedAny } from '../containerd/typed-any.ts';
import { removeTree } from '../host/files.ts';
import { killTree } from '../host/process-tree.ts';
import { copyInput, openInput } from '../io/copy-input.ts';
import { copyOutput, outputDone } from '../io/copy-output.ts';
import type { Background } from '../lib/background.ts';
import { during, Fault, isCode } from '../lib/fault.ts';
import { Rollback } from '../lib/rollback.ts';
import type { RemoteStreams } from '../lib/streams.ts';
import { MAX_TIMER_MS } from '../lib/time.ts';
import { SIGKILL } from '../spec/signal.ts';
import { terminalSizer } from './resize.ts';
import type { TaskNeeds } from './task.ts';
import { makeFifos, removeFifos, taskIo } from './task.ts';

/** What a terminal's process reads as the end of its input: control-D. */
const END_OF_FILE = '\x04';

/** One process to run in a running container. */
export interface ExecOrder {
  readonly containerId: string;
  readonly execId: string;
  readonly process: TypedAny;
  readonly tty: boolean;
  /** Milliseconds that it may run; 0 waits as long as it takes. */
  readonly timeoutMs: number;
  /** How long output may stay open after the process exited, in milliseconds. */
  readonly drainMs: number;
}

/** Names one process that was added to a container. */
export type ExecId = Pick<ExecOrder, 'containerId' | 'execId'>;

export type ExecNeeds = EndNeeds & Pick<TaskNeeds, 'log'> & { readonly background: Pick<Background, 'own'> };

type EndNeeds = Pick<TaskNeeds, 'paths'> & { readonly containerd: Pick<Containerd, 'tasks'> };

/**
 * Runs a process between the client's streams, and answers its exit code after they took all that it said.
 * After a failure the process and its children are gone, and so are its FIFOs; after an exit what is left
 * of it goes in the background. The streams stay open. The signal ends it early.
 * @throws Fault deadline_exceeded when it ran longer than its time-out.
 */
export async function runSession(
  needs: ExecNeeds,
  work: { order: ExecOrder; streams: RemoteStreams },
  signal: AbortSignal,
): Promise<number> {
  const { containerId, execId } = work.order;
  const outputs = new DisposableStack();
  const cleanup = new Rollback((step, err) =>
    needs.log.error({ err, containerId, execId, step }, 'exec clean-up stuck'),
  );
  const cleanUp = async () => {
    await cleanup[Symbol.asyncDispose]();
    outputs.dispose();
  };
  try {
    const exitCode = await run(needs, work, { cleanup, outputs, signal });
    // The shim waits 10 s for a child that keeps the output open, and the answer need not.
    needs.background.own(cleanUp(), { containerId, execId });
    return exitCode;
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

async function run(
  needs: ExecNeeds,
  { order, streams }: { order: ExecOrder; streams: RemoteStreams },
  { cleanup, outputs, signal }: { cleanup: Rollback; outputs: DisposableStack; signal: AbortSignal },
): Promise<number> {
  const { containerId, execId, process, tty, drainMs } = order;
  const id = { containerId, execId };
  const { tasks } = needs.containerd;
  const dir = needs.paths.execState(containerId, execId);
  const io = taskIo(dir, { stdin: streams.stdin !== null, tty });

  cleanup.onFailure('FIFOs', async () => removeFifos(dir, io));
  // Before containerd hears of the process: by its directory the next cristal would find it.
  makeFifos(dir, io);
  const stdout = outputs.use(copyOutput(io.stdout, streams.stdout));
  const stderr = outputs.use(copyOutput(io.stderr, streams.stderr));
  cleanup.onFailure('process', async (late) => {
    // The shim lets go of a process only after its last output was read, by whomever.
    for (const output of [stdout, stderr]) output.drop();
    await endProcess(needs, id, late);
  });
  await tasks.exec({ ...id, spec: process, ...io, terminal: tty }, { signal });
  // Asked before the start, so that the end of a short command is not asked for when it is long over.
  using wait = waitInTime(tasks, order, signal);
  await tasks.start(containerId, execId, { signal });
  if (tty) streams.onResize(terminalSizer({ tasks, log: needs.log }, id));
  using _input = feed(needs, order, { source: streams.stdin, path: io.stdin });
  const { exitStatus } = await wait.ended;
  // A child that kept the output open must not hold the answer.
  await outputDone([stdout, stderr], drainMs, signal);
  return exitStatus;
}

/** Ends an exec that nobody waits for any more, as after a crash, and takes its FIFOs away. */
export async function endExec(needs: EndNeeds, exec: ExecId, signal: AbortSignal): Promise<void> {
  await endProcess(needs, exec, signal);
  await removeTree(needs.paths.execState(exec.containerId, exec.execId));
}

/** Waits for the end of a process that need not have started yet, until it is disposed. */
function waitInTime(
  tasks: Pick<Tasks, 'wait'>,
  { containerId, execId, timeoutMs }: ExecOrder,
  signal: AbortSignal,
): Disposable & { readonly ended: Promise<TaskExit> } {
  const over = new AbortController();
  const late = timeoutMs > 0 ? AbortSignal.timeout(Math.min(timeoutMs, MAX_TIMER_MS)) : over.signal;
  const wait = async () => {
    try {
      return await tasks.wait(containerId, execId, { signal: AbortSignal.any([signal, over.signal, late]) });
    } catch (error) {
      if (signal.aborted || !late.aborted) throw during('wait for the command', error);
      const seconds = timeoutMs / 1000;
      throw new Fault('deadline_exceeded', `command did not end within ${seconds} s and was killed`, {
        cause: error,
      });
    }
  };
  const ended = wait();
  ended.catch(() => {}); // when it could not be started nobody asks
  return { ended, [Symbol.dispose]: () => over.abort() };
}

/** Gives the client's input to the process, until either ends or this is disposed. */
function feed(
  needs: Pick<ExecNeeds, 'containerd' | 'log'>,
  { containerId, execId, tty }: ExecOrder,
  { source, path }: { source: Readable | null; path: string },
): Disposable {
  const over = new AbortController();
  const copy = async (input: Readable) => {
    const sink = await openInput(path, over.signal);
    if (!sink) return;
    const farewell = tty ? END_OF_FILE : '';
    // Without its input a terminal would be shut down by the shim, and its output with it.
    if ((await copyInput(input, sink, { farewell, signal: over.signal })) && !tty)
      await needs.containerd.tasks.closeIO({ containerId, execId, stdin: true });
  };
  if (source !== null) {
    copy(source).catch((err: unknown) => {
      if (!isCode(err, 'not_found')) needs.log.warn({ err, containerId, execId }, 'input of exec is broken');
    });
  }
  return { [Symbol.dispose]: () => over.abort() };
}

/** Kills what still runs and deletes it from the shim. Already gone is done. */
async function endProcess(
  needs: Pick<ExecNeeds, 'containerd'>,
  { containerId, execId }: ExecId,
  signal: AbortSignal,
): Promise<void> {
  const { tasks } = needs.containerd;
  try {
    await tasks.deleteProcess(containerId, execId, { signal });
  } catch (error) {
    // What containerd says of a process that still runs differs from version to version.
    if (isCode(error, 'unavailable')) throw error;
    try {
      const { pid } = await tasks.get(containerId, execId, { signal });
      // One that has not started has none, and 0 would mean ourselves.
      if (pid > 0) await killTree(pid);
      await tasks.kill({ containerId, execId, signal: SIGKILL }, { signal });
    } catch (gone) {
      if (!isCode(gone, 'not_found')) throw gone;
    }
    await tasks.wait(containerId, execId, { signal }).catch(ignoreGone);
    await tasks.deleteProcess(containerId, execId, { signal });
  }
}

function ignoreGone(error: unknown): void {
  if (!isCode(error, 'not_found')) throw error;
}
