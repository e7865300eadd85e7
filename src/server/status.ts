import type { Status } from '../grpc/status.ts';
import { codeOf, messageOf } from '../lib/fault.ts';

/**
 * The message travels in a header, percent-encoded. Longer than this, clients and HTTP/2 itself begin to
 * refuse it, and the caller would learn nothing at all.
 */
const MAX_ENCODED = 8_192;

export const OK: Status = { code: 'ok', details: '' };

/** The one place where an error becomes a gRPC status. The stack and the causes stay in our log. */
export function toStatus(error: unknown): Status {
  return { code: codeOf(error), details: cut(messageOf(error).toWellFormed()) };
}

function cut(message: string): string {
  if (encodedLength(message) <= MAX_ENCODED) return message;
  let length = 0;
  let kept = '';
  for (const character of message) {
    length += encodedLength(character);
    if (length > MAX_ENCODED) break;
    kept += character;
  }
  return `${kept}… (cut off)`;
}

/** Never less than the header has. */
function encodedLength(text: string): number {
  return encodeURIComponent(text).length;
}
