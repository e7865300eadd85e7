import type { FaultCode } from '../lib/fault.ts';
import { Fault } from '../lib/fault.ts';

/** What one endpoint answered, if it did. */
export interface Attempt {
  host: string;
  /** HTTP status; null when there was no answer. */
  status: number | null;
  reason: string;
  /** How long the server wants us to wait before we ask again, in milliseconds; null: it is of no use. */
  retryAfterMs: number | null;
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

/** The pauses before all who may answer the next time are asked again, in milliseconds. */
const PAUSES_MS = [250, 1_000, 3_000];

/** The kubelet comes back by itself, so that nobody needs to wait longer than this for a server. */
const LONGEST_PAUSE_MS = 30_000;

/** Many nodes are turned away at the same moment, and must not come back at the same moment. */
const SPREAD = 0.25;

/**
 * How long to wait before the `round`th repetition (from 0) after these failures, in milliseconds; null to
 * give up. `random` is from 0 to 1.
 */
export function pauseBefore(round: number, attempts: readonly Attempt[], random: number): number | null {
  const wishes = attempts.map(({ retryAfterMs }) => retryAfterMs).filter((wish) => wish !== null);
  const own = PAUSES_MS[round];
  if (own === undefined || wishes.length === 0) return null;
  return Math.max(own, Math.min(...wishes)) * (1 + SPREAD * random);
}

/** What a status and its Retry-After (RFC 9110, 10.2.3) say about asking again; `now` in ms since 1970. */
export function retryAfter(status: number, header: string | undefined, now: number): number | null {
  const passes = status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
  if (!passes) return null;
  const text = header?.trim() ?? '';
  if (text === '') return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  if (Number.isNaN(ms)) return 0;
  return ms > LONGEST_PAUSE_MS ? null : Math.max(0, ms);
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
