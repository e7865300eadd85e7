import type { Duplex } from 'node:stream';
import { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

/**
 * What a duplex receives, as a stream of its own: it ends with the peer's half-close, whatever becomes
 * of the other direction. Once it is destroyed, what still comes is read and dropped, so that a client
 * which goes on sending to a process that no longer listens is not stuck with its other streams.
 */
export function readableSide(duplex: Duplex): Readable {
  const side = new Readable({
    read: () => void duplex.resume(),
    destroy(error, done) {
      duplex.off('data', onData);
      duplex.resume();
      done(error);
    },
  });
  const onData = (chunk: Buffer): void => {
    if (!side.push(chunk)) duplex.pause();
  };
  duplex.on('data', onData);
  duplex.once('end', () => side.push(null));
  duplex.once('close', () => {
    if (!duplex.readableEnded) side.destroy(duplex.errored ?? undefined);
  });
  quiet(side);
  return side;
}

/** What a duplex sends. Its end is a half-close; its destruction without an end is the duplex's own. */
export function writableSide(duplex: Duplex): Writable {
  const side = new Writable({
    write: (chunk: Buffer, _encoding, done) => void duplex.write(chunk, done),
    final: (done) => void duplex.end(() => done()),
    destroy(error, done) {
      if (!duplex.writableEnded) duplex.destroy();
      done(error);
    },
  });
  duplex.once('close', () => {
    if (!duplex.writableFinished) side.destroy(duplex.errored ?? undefined);
  });
  quiet(side);
  return side;
}

/** Ends a stream and waits until all of it was passed on. One that broke before has nothing to wait for. */
export async function flush(stream: Writable | null): Promise<void> {
  if (stream === null || stream.destroyed) return;
  if (!stream.writableEnded) stream.end();
  try {
    await finished(stream, { readable: false });
  } catch {
    // The client is gone or let go of this stream: the owner of the connection hears of it.
  }
}

/** An `error` event without a listener would end the daemon. Who reads or writes gets the error as well. */
export function quiet<T extends Readable | Writable | Duplex>(stream: T): T {
  stream.on('error', () => {});
  return stream;
}
