import { constants } from 'node:os';
import type { FaultCode } from '../lib/fault.ts';
import { Fault } from '../lib/fault.ts';

/** The errors of the kernel that a caller can act on. The others stay `internal`. */
const FAULT_OF_ERRNO: Record<string, FaultCode> = {
  ENOENT: 'not_found',
  ENOTDIR: 'not_found',
  EEXIST: 'already_exists',
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EROFS: 'permission_denied',
  EINVAL: 'invalid_argument',
  ENAMETOOLONG: 'invalid_argument',
  ENOSPC: 'resource_exhausted',
  EDQUOT: 'resource_exhausted',
  EMFILE: 'resource_exhausted',
  ENFILE: 'resource_exhausted',
  EBUSY: 'failed_precondition',
  ENOTEMPTY: 'failed_precondition',
};

/** The name that errno number `errno` has on this machine, such as "ENOENT". */
export function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno);
  return found?.[0] ?? `errno ${errno}`;
}

/** The errno name that an error of the system carries, or '' for any other thing. */
export function errnoOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return typeof code === 'string' && !(error instanceof Fault) ? code : '';
}

/** Whether a system call failed for one of these reasons. */
export function isErrno(error: unknown, ...names: string[]): boolean {
  return names.includes(errnoOf(error));
}

/** Turns an error of the system into a Fault that says what was being done. Keeps a Fault's code. */
export function hostFault(step: string, cause: unknown): Fault {
  if (cause instanceof Fault) return new Fault(cause.code, `${step}: ${cause.message}`, { cause });
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Fault(FAULT_OF_ERRNO[errnoOf(cause)] ?? 'internal', `${step}: ${message}`, { cause });
}
