/** Of a protobuf message: the number of a field of type `bytes`, and what it holds. */
export interface BytesField {
  field: number;
  bytes: Uint8Array;
}

/** Not compressed, and the message's length in four bytes. */
const PREFIX_BYTES = 5;

/** The wire type of what has its length in front. */
const LENGTH_DELIMITED = 2;

/**
 * A message as it goes over the wire. `tail` is one more field of it, whose bytes are not copied: protobuf
 * lets fields come in any order, so an encoded message grows by what is put behind it.
 */
export function frameOf(message: Uint8Array, tail?: BytesField): Uint8Array[] {
  const key =
    tail === undefined ? [] : [...varint((tail.field << 3) | LENGTH_DELIMITED), ...varint(tail.bytes.length)];
  const head = Buffer.alloc(PREFIX_BYTES + message.length + key.length);
  head.writeUInt32BE(message.length + key.length + (tail?.bytes.length ?? 0), 1);
  head.set(message, PREFIX_BYTES);
  head.set(key, PREFIX_BYTES + message.length);
  return tail === undefined ? [head] : [head, tail.bytes];
}

/** The messages in what comes over the wire, in pieces of any size. */
export async function* messagesIn(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = endOf(rest); end <= rest.length; end = endOf(rest)) {
      yield rest.subarray(PREFIX_BYTES, end);
      rest = rest.subarray(end);
    }
  }
}

/** Where the first message ends; beyond all bytes while its length is not there. */
function endOf(bytes: Buffer): number {
  return bytes.length < PREFIX_BYTES ? Number.POSITIVE_INFINITY : PREFIX_BYTES + bytes.readUInt32BE(1);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return [...bytes, left];
}
