import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { hostFault } from '../host/errno.ts';
import { MAX_CHUNK, readFifo } from './fifo-stream.ts';

/** How often the end of the output is looked for, in milliseconds. */
const LOOK_MS = 50;

/**
 * Chunks from this length on are copied to memory that is used again: new memory for each would cost
 * more time in the garbage collector than all else. Short ones get no more than they need.
 */
const LONG_CHUNK = 16 * 1024;

/** What one process says, on its way from a FIFO to who listens. Disposing closes the FIFO. */
export interface OutputCopy extends Disposable {
  /** Resolves when the FIFO is at its end and the listener has taken all. Rejects when it cannot be read. */
  readonly done: Promise<void>;
  /** Whether it waits for the listener, and not for the process. */
  isHeld(): boolean;
  /** From now on what is read is dropped, and the process waits for nobody. */
  drop(): void;
}

const NO_OUTPUT: OutputCopy = {
  done: Promise.resolve(),
  isHeld: () => false,
  drop: () => {},
  [Symbol.dispose]: () => {},
};

/**
 * Opens a FIFO to read from at once, and copies it to `sink`, which is neither ended nor destroyed.
 * A sink that is full makes the process wait, and what it was given is overwritten once it has called
 * back. What comes after a sink has failed, or without one, is read and dropped. '' stands for a FIFO
 * that is not there.
 */
export function copyOutput(path: string, sink: Writable | null): OutputCopy {
  if (path === '') return NO_OUTPUT;
  let failure: Error | null = null;
  let unwritten = 0;
  let ended = false;
  let dropping = sink === null;
  const spare: Buffer[] = [];
  const { promise: flushed, resolve: onFlushed } = Promise.withResolvers<void>();
  const wasWritten = (memory: Buffer) => {
    if (memory.length === MAX_CHUNK) spare.push(memory);
    unwritten--;
    if (ended && unwritten === 0) onFlushed();
  };
  const stream = readFifo(path, {
    onChunk(chunk) {
      if (dropping || !sink?.writable) return true;
      unwritten++;
      const isLong = chunk.length >= LONG_CHUNK;
      const memory = isLong
        ? (spare.pop() ?? Buffer.allocUnsafeSlow(MAX_CHUNK))
        : Buffer.allocUnsafe(chunk.length);
      chunk.copy(memory); // the chunk's own is shared
      return sink.write(memory.subarray(0, chunk.length), () => wasWritten(memory));
    },
    onError: (error) => {
      failure = error;
    },
  });
  const goOn = () => stream.resume();
  const drop = () => {
    dropping = true;
    onFlushed();
    stream.resume();
  };
  sink?.on('drain', goOn).on('error', drop).on('close', drop);
  const copy = async () => {
    await stream.ended;
    ended = true;
    if (unwritten > 0 && !dropping) await flushed;
    sink?.off('drain', goOn).off('error', drop).off('close', drop);
    if (failure !== null) throw hostFault(`read ${path}`, failure);
  };
  const done = copy();
  done.catch(() => {}); // for a caller that does not wait for the end
  return {
    done,
    isHeld: () => !dropping && (ended ? unwritten > 0 : (sink?.writableNeedDrain ?? false)),
    drop,
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}

/**
 * True when all copies are done; false when they are not although `ms` went by, without the time that
 * one of them waited for its listener. Rejects as `done` does, and when the signal fires.
 */
export async function outputDone(
  copies: readonly OutputCopy[],
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  const done = Promise.all(copies.map((copy) => copy.done)).then(() => true);
  for (let left = ms; ; ) {
    const look = Math.min(LOOK_MS, left);
    if (await Promise.race([done, sleep(look, false, { signal })])) return true;
    if (!copies.some((copy) => copy.isHeld())) left -= look;
    if (left <= 0) return false;
  }
}
