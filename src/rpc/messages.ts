/** What one message of a `Stream*` RPC may carry. gRPC's own limit for a client that sets none is 4 MiB. */
const MAX_ITEMS = 1_000;
const MAX_BYTES = 1024 * 1024;

/** Bounds of one message; those above unless a test has smaller ones. */
export interface MessageLimits {
  readonly items: number;
  readonly bytes: number;
}

/**
 * Cuts a list into pieces that each fit into one message, for the `Stream*` RPCs. No piece is empty. An
 * item that is larger than a message should be goes alone.
 */
export async function* messagesOf<T extends object>(
  items: Iterable<T> | AsyncIterable<T>,
  limits: MessageLimits = { items: MAX_ITEMS, bytes: MAX_BYTES },
): AsyncGenerator<T[]> {
  let piece: T[] = [];
  let bytes = 0;
  for await (const item of items) {
    const size = sizeOf(item);
    if (piece.length > 0 && (piece.length >= limits.items || bytes + size > limits.bytes)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(item);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}

/**
 * At least what the item takes on the wire: JSON has the same strings, and its keys and quotes are longer
 * than the tags and lengths that stand for them there.
 */
function sizeOf(item: object): number {
  return Buffer.byteLength(JSON.stringify(item));
}
