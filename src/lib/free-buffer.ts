import { isMarkedAsUntransferable } from 'node:worker_threads';

/**
 * Gives a buffer's memory back at once. For what comes by the megabyte: the collector is told of memory
 * outside of its heap too, and runs through the whole heap each time that a few tens of megabytes of it are
 * garbage. Other views of that memory are empty afterwards, so it has to be one's own; Node's pool of small
 * buffers is left alone.
 */
export function freeBuffer({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && !isMarkedAsUntransferable(buffer)) buffer.transfer(0);
}
