import { copyInput } from '../io/copy-input.ts';
import { isCode } from '../lib/fault.ts';
import type { RemoteStreams } from '../lib/streams.ts';
import type { Container } from '../store/containers.ts';
import { terminalSizer } from './resize.ts';
import type { TaskNeeds } from './task.ts';

export type AttachNeeds = Pick<TaskNeeds, 'containerd' | 'pump' | 'stdin' | 'log'>;

/**
 * Gives a running container's output from now on to the client, and the client's input to the container.
 * Ends when the container has exited and the client has taken all, when the client ends its input, or by
 * the signal. The streams stay open.
 * @throws Fault resource_exhausted when the client does not keep up.
 */
export async function runAttach(
  needs: AttachNeeds,
  { container, streams }: { container: Pick<Container, 'id' | 'config'>; streams: RemoteStreams },
  signal: AbortSignal,
): Promise<void> {
  const { id, config } = container;
  const sinks = { stdout: streams.stdout, stderr: config.tty ? null : streams.stderr };
  using output = await needs.pump.attach(id, sinks);
  if (config.tty)
    streams.onResize(terminalSizer({ tasks: needs.containerd.tasks, log: needs.log }, { containerId: id }));
  const over = new AbortController();
  const detached = onceAborted(signal);
  const input = feed(needs, { container, streams }, AbortSignal.any([signal, over.signal]));
  try {
    await Promise.race([output.ended, detached, input]);
  } finally {
    over.abort();
    await input;
  }
}

/**
 * Resolves when there is no more reason to stay for the input's sake. The end of a client's input detaches
 * it, as it does in other runtimes. With `stdinOnce` it is the end of the container's stdin instead, however
 * the client went; but never with a terminal, which the shim would shut down.
 */
async function feed(
  needs: AttachNeeds,
  { container, streams }: { container: Pick<Container, 'id' | 'config'>; streams: RemoteStreams },
  signal: AbortSignal,
): Promise<void> {
  const { id, config } = container;
  if (streams.stdin === null) return await onceAborted(signal);
  const sink = needs.stdin.writer(id);
  if (!sink) {
    streams.stdin.resume();
    return await onceAborted(signal);
  }
  const ended = await copyInput(streams.stdin, sink, { farewell: '', signal });
  if (config.stdinOnce && !config.tty) {
    await endInput(needs, id);
    await onceAborted(signal);
  } else if (!ended) {
    await onceAborted(signal);
  }
}

async function endInput(needs: AttachNeeds, id: string): Promise<void> {
  if (!(await needs.stdin.end(id))) return;
  await needs.containerd.tasks.closeIO({ containerId: id, stdin: true }).catch((err: unknown) => {
    if (!isCode(err, 'not_found')) needs.log.warn({ err, containerId: id }, 'could not close stdin');
  });
}

async function onceAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
