import { hostFault } from '../host/errno.ts';
import { readFifo } from './fifo-stream.ts';

/** Gathers what a process writes to its FIFOs, up to a limit per stream. Disposing closes the FIFOs. */
export interface OutputCollector extends Disposable {
  /** Resolves when both streams are at their end, or when this was disposed. Rejects when one cannot be read. */
  readonly finished: Promise<void>;
  /** What has come so far. */
  take(): { stdout: Buffer; stderr: Buffer };
}

/**
 * Opens the FIFOs to read from at once; '' stands for a stream that is not there. What exceeds
 * `limitBytes` of a stream is read and dropped, so that its writer never waits for us.
 */
export async function collectOutput(
  paths: { stdout: string; stderr: string },
  limitBytes: number,
): Promise<OutputCollector> {
  const stdout = collect(paths.stdout, limitBytes);
  try {
    const stderr = collect(paths.stderr, limitBytes);
    const finished = Promise.all([stdout.ended, stderr.ended]).then(() => undefined);
    finished.catch(() => {}); // for a caller that does not wait for the end
    return {
      finished,
      take: () => ({ stdout: stdout.take(), stderr: stderr.take() }),
      [Symbol.dispose]: () => {
        stdout[Symbol.dispose]();
        stderr[Symbol.dispose]();
      },
    };
  } catch (error) {
    stdout[Symbol.dispose]();
    throw error;
  }
}

interface Collected extends Disposable {
  ended: Promise<void>;
  take(): Buffer;
}

function collect(path: string, limitBytes: number): Collected {
  if (path === '')
    return { ended: Promise.resolve(), take: () => Buffer.alloc(0), [Symbol.dispose]: () => {} };
  const chunks: Buffer[] = [];
  let size = 0;
  const onChunk = (chunk: Buffer): boolean => {
    const kept = Buffer.from(chunk.subarray(0, limitBytes - size)); // a copy: the buffer is shared
    if (kept.length > 0) chunks.push(kept);
    size += kept.length;
    return true;
  };
  let failure: Error | null = null;
  const stream = readFifo(path, {
    onChunk,
    onError: (error) => {
      failure = error;
    },
  });
  const ended = async () => {
    await stream.ended;
    if (failure !== null) throw hostFault(`read ${path}`, failure);
  };
  return {
    ended: ended(),
    take: () => Buffer.concat(chunks),
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}
