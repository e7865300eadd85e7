import type { Readable } from 'node:stream';

/** So many chunks may wait for their turn before the stream is held up, and so few before it goes on. */
const MOST_WAITING = 8;
const FEW_WAITING = 2;

/** The stream failed or ended before its end; what it had brought has been taken. */
export class StreamBroken extends Error {}

/**
 * Gives each chunk of a stream to `take`, one at a time and in order. By events: to iterate over a stream
 * costs a copy of what waits in it and several promises a chunk, which tells at thousands of them a second.
 * Throws `StreamBroken`, or what `take` threw.
 */
export function drain(stream: Readable, take: (chunk: Buffer) => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waiting: Buffer[] = [];
  let isTaking = false;
  /** How the stream ended, once it has. */
  let settle: (() => void) | null = null;

  const takeAll = async (): Promise<void> => {
    isTaking = true;
    for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
      if (waiting.length <= FEW_WAITING && stream.isPaused()) stream.resume();
      await take(chunk);
    }
    isTaking = false;
    settle?.();
  };
  const end = (how: () => void): void => {
    settle ??= how;
    if (!isTaking) settle();
  };
  stream.on('data', (chunk: Buffer) => {
    waiting.push(chunk);
    if (waiting.length >= MOST_WAITING) stream.pause();
    if (!isTaking) takeAll().catch(reject);
  });
  stream.once('end', () => end(resolve));
  stream.once('error', (cause) => end(() => reject(new StreamBroken(cause.message, { cause }))));
  // Who destroys a stream need not say why.
  const wasClosed = (): void => end(() => reject(new StreamBroken('closed')));
  if (stream.closed) wasClosed();
  else stream.once('close', wasClosed);
  return promise;
}
