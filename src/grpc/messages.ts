import { Fault } from '../lib/fault.ts';

/** Of a protobuf message: the number of a field of type `bytes`, and what it holds. */
export interface BytesField {
  field: number;
  bytes: Uint8Array;
}

/** The largest message, both ways: containerd's limit, and what clients of the CRI set. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Not compressed, and the message's length in four bytes. */
const PREFIX_BYTES = 5;

/** The wire type of what has its length in front. */
const LENGTH_DELIMITED = 2;

/**
 * A message as it goes over the wire. `tail` is one more field of it, whose bytes are not copied: protobuf
 * lets fields come in any order, so an encoded message grows by what is put behind it. Throws
 * `resource_exhausted` when the whole is larger than peers take.
 */
export function frameOf(message: Uint8Array, tail?: BytesField): Uint8Array[] {
  const key =
    tail === undefined ? [] : [...varint((tail.field << 3) | LENGTH_DELIMITED), ...varint(tail.bytes.length)];
  const length = message.length + key.length + (tail?.bytes.length ?? 0);
  checkLength(length);
  const head = Buffer.allocUnsafe(PREFIX_BYTES + message.length + key.length);
  head[0] = 0;
  head.writeUInt32BE(length, 1);
  head.set(message, PREFIX_BYTES);
  head.set(key, PREFIX_BYTES + message.length);
  return tail === undefined ? [head] : [head, tail.bytes];
}

/** Finds the messages in what comes over the wire, in pieces of any size. */
export class MessageParser {
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #message: Buffer | null = null;
  #filled = 0;

  /**
   * Calls `found` with each message that is complete, in memory of its own. Throws `resource_exhausted`
   * for one that is too large, and `unimplemented` for one that is compressed, which nobody has offered.
   */
  push(chunk: Buffer, found: (message: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#message === null) {
        const taken = chunk.copy(this.#prefix, this.#prefixBytes, at);
        at += taken;
        this.#prefixBytes += taken;
        if (this.#prefixBytes < PREFIX_BYTES) return;
        if (this.#prefix[0] !== 0) throw new Fault('unimplemented', 'the message is compressed');
        const length = this.#prefix.readUInt32BE(1);
        checkLength(length);
        this.#message = Buffer.allocUnsafe(length);
        this.#filled = 0;
      }
      const taken = chunk.copy(this.#message, this.#filled, at);
      at += taken;
      this.#filled += taken;
      if (this.#filled < this.#message.length) return;
      const message = this.#message;
      this.#message = null;
      this.#prefixBytes = 0;
      found(message);
    }
  }
}

function checkLength(length: number): void {
  if (length > MAX_MESSAGE_BYTES)
    throw new Fault('resource_exhausted', `a message of ${length} bytes is larger than ${MAX_MESSAGE_BYTES}`);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return [...bytes, left];
}
