/** The tag of a line that ends here. */
const FULL = 'F'.charCodeAt(0);
/** The tag of a piece of a line: more of it follows, or its writer ended without a newline. */
const PARTIAL = 'P'.charCodeAt(0);
const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

/**
 * Where lines are put together before they are copied out, shared by all framers of a thread: a
 * call fills it and empties it without letting another in between.
 */
let scratch = Buffer.allocUnsafe(512 * 1024);

/**
 * Turns what a container writes into lines of the CRI log format:
 * `2026-11-23T12:00:00.123456789Z stdout F text\n`. Bytes pass unchanged, a carriage return too. A
 * line longer than `maxLineBytes` is cut in pieces tagged P, of which the last has tag F. What comes
 * without a newline before the end of the stream is tagged P as well: readers join P lines without
 * adding a newline, so they see exactly what was written (containerd's own CRI does the same).
 */
export class Framer {
  readonly #maxLineBytes: number;
  readonly #streamAndTag: string;
  /** The start of a line whose end has not been read yet; at most `maxLineBytes` long. */
  #held: Buffer = EMPTY;
  #prefix: Buffer = EMPTY;
  #used = 0;

  constructor(stream: 'stdout' | 'stderr', maxLineBytes: number) {
    this.#maxLineBytes = Math.max(1, maxLineBytes);
    this.#streamAndTag = ` ${stream} F `;
  }

  /** The lines that `chunk` completes, all with one timestamp: a new buffer, perhaps empty. */
  frame(chunk: Buffer, timestamp: string): Buffer {
    this.#begin(timestamp);
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      start = this.#cut(chunk, start, end);
      this.#put(FULL, chunk, start, end);
      start = end + 1;
    }
    start = this.#cut(chunk, start, chunk.length);
    if (start < chunk.length) this.#held = Buffer.concat([this.#held, chunk.subarray(start)]);
    return this.#taken();
  }

  /** What is left of a line that never ended, or an empty buffer. */
  finish(timestamp: string): Buffer {
    this.#begin(timestamp);
    if (this.#held.length > 0) this.#put(PARTIAL, EMPTY, 0, 0);
    return this.#taken();
  }

  /** Puts as many full pieces as the line that ends at `end` has too many. Returns where the rest begins. */
  #cut(chunk: Buffer, start: number, end: number): number {
    let from = start;
    while (this.#held.length + end - from > this.#maxLineBytes) {
      const to = from + this.#maxLineBytes - this.#held.length;
      this.#put(PARTIAL, chunk, from, to);
      from = to;
    }
    return from;
  }

  /** Adds one line: the prefix, what was held, and this part of `chunk`. */
  #put(tag: number, chunk: Buffer, start: number, end: number): void {
    const prefix = this.#prefix;
    const held = this.#held.length;
    this.#reserve(prefix.length + held + end - start + 1);
    let at = this.#used;
    prefix.copy(scratch, at);
    at += prefix.length;
    scratch[at - 2] = tag;
    if (held > 0) {
      this.#held.copy(scratch, at);
      at += held;
      this.#held = EMPTY;
    }
    chunk.copy(scratch, at, start, end);
    at += end - start;
    scratch[at] = NEWLINE;
    this.#used = at + 1;
  }

  #begin(timestamp: string): void {
    this.#prefix = Buffer.from(timestamp + this.#streamAndTag, 'latin1');
    this.#used = 0;
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= scratch.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, scratch.length * 2));
    scratch.copy(larger, 0, 0, this.#used);
    scratch = larger;
  }

  #taken(): Buffer {
    return this.#used === 0 ? EMPTY : Buffer.from(scratch.subarray(0, this.#used));
  }
}
