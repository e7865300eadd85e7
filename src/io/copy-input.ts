import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { isCode } from '../lib/fault.ts';
import { writeFifo } from './fifo-stream.ts';

/** How often a FIFO is looked at for a reader, in milliseconds. */
const LOOK_MS = 5;

/** Opens a FIFO to write to as soon as it has a reader. Null when the signal fired before. */
export async function openInput(path: string, signal: AbortSignal): Promise<Socket | null> {
  while (!signal.aborted) {
    try {
      return writeFifo(path);
    } catch (error) {
      if (!isCode(error, 'failed_precondition')) throw error;
    }
    await sleep(LOOK_MS);
  }
  return null;
}

/** How the copying ends. */
export interface InputEnd {
  /** Written after the last of the source. */
  readonly farewell: string;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/**
 * Copies what a client sends until it ends, which is answered by true; or until the process reads no more,
 * or the signal fires: then what still comes is read and dropped, and the answer is false. Closes the
 * sink in any case; the source stays open.
 */
export async function copyInput(
  source: Readable,
  sink: Socket,
  { farewell, signal }: InputEnd,
): Promise<boolean> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let ended = false;
  const finish = () => {
    if (!ended) sink.end(farewell);
    ended = true;
  };
  const stop = () => sink.destroy();
  sink.on('error', ignore).once('close', resolve);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  // A client that took its stream away sends as little as one that ended it.
  source.on('error', ignore).once('end', finish).once('close', finish);
  if (source.readableEnded || source.destroyed) finish();
  else source.pipe(sink, { end: false });
  await closed;
  signal.removeEventListener('abort', stop);
  source.off('end', finish).off('close', finish).off('error', ignore).unpipe(sink);
  source.resume();
  return ended && !signal.aborted;
}

/** A process need not read its input, and the owner of the source listens to its errors. */
function ignore(): void {}
