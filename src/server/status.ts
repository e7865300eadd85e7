import type { Status } from '../grpc/status.ts';
import { codeOf, messageOf } from '../lib/fault.ts';

/**
 * The message travels in a header. Longer than this, clients and HTTP/2 itself begin to refuse it,
 * and the caller would learn nothing at all.
 */
const MAX_DETAILS = 8_192;

export const OK: Status = { code: 'ok', details: '' };

/** The one place where an error becomes a gRPC status. The stack and the causes stay in our log. */
export function toStatus(error: unknown): Status {
  const details = messageOf(error);
  return {
    code: codeOf(error),
    details: details.length > MAX_DETAILS ? `${details.slice(0, MAX_DETAILS)}… (cut off)` : details,
  };
}
