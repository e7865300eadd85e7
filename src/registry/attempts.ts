import type { FaultCode } from '../lib/fault.ts';
import { Fault } from '../lib/fault.ts';

/** What one endpoint answered, if it did. */
export interface Attempt {
  host: string;
  /** HTTP status; null when there was no answer. */
  status: number | null;
  reason: string;
}

/** One endpoint could not serve: the next one is tried. */
export class AttemptFailed extends Error {
  readonly attempt: Attempt;

  constructor(attempt: Attempt, options?: ErrorOptions) {
    super(`${attempt.host}: ${attempt.reason}`, options);
    this.name = 'AttemptFailed';
    this.attempt = attempt;
  }
}

/**
 * The error of a request that no endpoint could serve. It lists each of them; where the registry is to
 * blame it starts with the word by which the kubelet tells that (cri-api, `ErrRegistryUnavailable`).
 */
export function exhausted(what: string, attempts: readonly Attempt[]): Fault {
  const code = codeFor(attempts);
  const list = attempts.map(({ host, reason }) => `${host}: ${reason}`).join('; ');
  const message = `${what}: ${list === '' ? 'no host is configured for this' : list}`;
  return new Fault(code, code === 'unavailable' ? `RegistryUnavailable: ${message}` : message);
}

/** The most telling answer decides: a refusal says more than an absence, and that more than silence. */
function codeFor(attempts: readonly Attempt[]): FaultCode {
  const statuses = attempts.map(({ status }) => status);
  if (attempts.length === 0) return 'failed_precondition';
  if (statuses.some((status) => status === 401 || status === 403)) return 'permission_denied';
  if (statuses.some((status) => status === 404)) return 'not_found';
  return statuses.every((status) => status === null || status === 429 || status >= 500)
    ? 'unavailable'
    : 'failed_precondition';
}
