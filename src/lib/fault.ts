import type { status } from '@grpc/grpc-js';

/** The gRPC codes, lower-cased. One vocabulary from containerd's socket to the kubelet's. */
export type FaultCode = Lowercase<Exclude<keyof typeof status, 'OK'>>;

/** Every error that cristal raises on purpose. Callers branch on `code`, never on the message. */
export class Fault extends Error {
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Fault';
    this.code = code;
  }
}

/** Says what we were doing. Keeps the cause's code unless the caller decides on another. */
export function during(step: string, cause: unknown, code: FaultCode = codeOf(cause)): Fault {
  return new Fault(code, `${step}: ${messageOf(cause)}`, { cause });
}

/** The code of anything thrown: a Fault's own, an abort's, and `internal` for the rest. */
export function codeOf(error: unknown): FaultCode {
  if (error instanceof Fault) return error.code;
  if (error instanceof Error && error.name === 'AbortError') return 'cancelled';
  if (error instanceof Error && error.name === 'TimeoutError') return 'deadline_exceeded';
  return 'internal';
}

export function isCode(error: unknown, code: FaultCode): boolean {
  return codeOf(error) === code;
}

/**
 * For the way out of a handler. The kubelet takes `not_found` to mean that the pod or container that it
 * asked about is gone, so one that is about anything else becomes `internal`.
 */
export function innerFault(error: unknown): unknown {
  return isCode(error, 'not_found') ? new Fault('internal', messageOf(error), { cause: error }) : error;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
