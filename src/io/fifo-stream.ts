import { Socket } from 'node:net';

import { openFifoReader, openFifoWriter } from '../host/fifo.ts';

/** The reading end of one FIFO. Disposing it closes the descriptor, and ends it too. */
export interface FifoStream extends Disposable {
  /** Resolves when the last writer has closed and all was read, or when it was disposed. */
  readonly ended: Promise<void>;
  /** Goes on after `onChunk` answered false. */
  resume(): void;
}

/** What to do with what is read. */
export interface FifoReader {
  /** Gets a view of the read buffer, valid during the call only. False pauses the stream. */
  onChunk(chunk: Buffer): boolean;
  onError(error: Error): void;
}

/** The longest chunk that comes in one go, in bytes. */
export const MAX_CHUNK = 256 * 1024;

/**
 * One read buffer serves all streams of a thread: libuv fills it and calls back at once, and every
 * `onChunk` copies what it keeps before it returns.
 */
const shared = Buffer.allocUnsafe(MAX_CHUNK);

/**
 * Opens a FIFO and reads it by the event loop of this thread: no thread of libuv's pool ever waits
 * in a FIFO. The kernel reports no end before there was a first writer, so it is right to open
 * before the writer does.
 */
export function readFifo(path: string, reader: FifoReader): FifoStream {
  let paused = false;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const onRead = (size: number): boolean => {
    paused = !reader.onChunk(shared.subarray(0, size));
    return !paused;
  };
  const socket = new Socket({
    fd: openFifoReader(path), // the socket owns it from here
    readable: true,
    writable: false,
    onread: { buffer: shared, callback: onRead },
  });
  socket.on('error', (error) => reader.onError(error));
  socket.on('close', () => resolve());
  socket.on('end', () => socket.destroy());
  return {
    ended,
    resume: () => {
      if (!paused || socket.destroyed) return;
      paused = false;
      socket.resume();
    },
    [Symbol.dispose]: () => {
      socket.destroy();
    },
  };
}

/**
 * Opens a FIFO to write to, by the event loop of this thread. Ending it flushes, then closes the
 * descriptor. Fails with `failed_precondition` while the FIFO has no reader.
 */
export function writeFifo(path: string): Socket {
  return new Socket({ fd: openFifoWriter(path), readable: false, writable: true });
}
