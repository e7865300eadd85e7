import type { FaultCode } from '../lib/fault.ts';
import type { Header } from './hpack.ts';

/** How a call ended, as gRPC tells it in the headers `grpc-status` and `grpc-message`. */
export interface Status {
  code: FaultCode | 'ok';
  details: string;
}

/** By their numbers (google.rpc.Code). */
const CODES: readonly Status['code'][] = [
  'ok',
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
];

/** Null for headers that say nothing of a status. */
export function statusIn(headers: ReadonlyMap<string, string>): Status | null {
  const number = headers.get('grpc-status');
  if (number === undefined) return null;
  return {
    code: (/^\d+$/.test(number) ? CODES[Number(number)] : undefined) ?? 'unknown',
    details: decodeMessage(headers.get('grpc-message') ?? ''),
  };
}

export function statusHeaders({ code, details }: Status): Header[] {
  const number: Header = ['grpc-status', String(CODES.indexOf(code))];
  return details === '' ? [number] : [number, ['grpc-message', encodeMessage(details)]];
}

/**
 * Percent-encodes all but printable ASCII, as the protocol of gRPC says, and blanks at either end, with which
 * HTTP/2 takes no header.
 */
function encodeMessage(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replaceAll(/[^ -$&-~]|^ | $/g, percent);
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** What is no valid encoding stays as it is. */
function decodeMessage(text: string): string {
  const bytes = text.replaceAll(/%([\da-f]{2})/gi, (_whole, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
