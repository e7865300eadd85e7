import { closeSync, readSync } from 'node:fs';

import { hostFault, isErrno } from './errno.ts';
import { close, pipe, setNonBlocking } from './syscalls.ts';

/** As much as a pipe holds unless it was enlarged. */
const scratch = Buffer.allocUnsafe(64 * 1024);

/** Reads in one go. A program that writes faster than we read must not keep everybody else waiting. */
const MAX_READS = 16;

/**
 * The pipe that a program writes its output to. Nobody is told that there is something in it: whoever waits for
 * the program looks from time to time, and at its end. That spares the event loop what a socket costs, which for
 * a program of ten milliseconds is more than starting it does.
 */
export class OutputPipe implements Disposable {
  /** For the program to write to. */
  readonly writer: number;
  readonly #reader: number;
  readonly #limit: number;
  readonly #kept: Buffer[] = [];
  #size = 0;
  #isWriterOpen = true;
  #isAtEnd = false;

  /** Keeps the first `limit` bytes; what comes after them is read and dropped. */
  constructor(limit: number) {
    this.#limit = limit;
    try {
      [this.#reader, this.writer] = pipe();
    } catch (error) {
      throw hostFault('open a pipe', error);
    }
    setNonBlocking(this.#reader);
  }

  /** Whether the last one who could write to it has closed it, and all was read. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** Once the program has it. Else the pipe never ends. */
  closeWriter(): void {
    if (this.#isWriterOpen) close(this.writer);
    this.#isWriterOpen = false;
  }

  /** Reads what is there, and waits for nothing. Answers whether there was anything. */
  read(): boolean {
    let reads = 0;
    while (!this.#isAtEnd && reads < MAX_READS) {
      const length = readNow(this.#reader);
      if (length === null) break;
      this.#isAtEnd = length === 0;
      if (this.#isAtEnd) break;
      reads++;
      const room = Math.min(length, this.#limit - this.#size);
      if (room > 0) this.#kept.push(Buffer.from(scratch.subarray(0, room)));
      this.#size += Math.max(room, 0);
    }
    return reads > 0;
  }

  /** What was kept so far. */
  bytes(): Buffer {
    return this.#kept.length === 1 && this.#kept[0] ? this.#kept[0] : Buffer.concat(this.#kept);
  }

  [Symbol.dispose](): void {
    this.closeWriter();
    closeSync(this.#reader);
  }
}

/** How many bytes it read into `scratch`, 0 at the end, null when there are none at present. */
function readNow(fd: number): number | null {
  try {
    return readSync(fd, scratch);
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return null;
    throw error;
  }
}
