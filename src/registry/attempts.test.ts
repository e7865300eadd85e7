import { expect, test } from 'vitest';
import { exhausted, pauseBefore, retryAfter } from './attempts.ts';

test.each([
  [[null], 'unavailable'],
  [[null, 503, 429], 'unavailable'],
  [[404, null], 'not_found'],
  [[404, 403], 'permission_denied'],
  [[401], 'permission_denied'],
  [[400, 503], 'failed_precondition'],
  [[], 'failed_precondition'],
])('statuses %j end as %s', (statuses, code) => {
  const attempts = statuses.map((status, place) => ({
    host: `h${place}`,
    status,
    reason: `r${place}`,
    retryAfterMs: null,
  }));
  const fault = exhausted('resolve x', attempts);
  expect(fault.code).toBe(code);
  expect(fault.message.startsWith('RegistryUnavailable: ')).toBe(code === 'unavailable');
  for (const { host, reason } of attempts) expect(fault.message).toContain(`${host}: ${reason}`);
});

const now = Date.UTC(2026, 0, 1);

test.each([
  [429, undefined, 0],
  [503, '7', 7_000],
  [429, new Date(now + 5_000).toUTCString(), 5_000],
  [429, new Date(now - 5_000).toUTCString(), 0],
  [502, 'soon', 0],
  [429, '3600', null],
  [500, '', 0],
  [501, undefined, null],
  [404, '1', null],
  [401, undefined, null],
])('%i with Retry-After %s is asked again after %s ms', (status, header, ms) => {
  expect(retryAfter(status, header, now)).toBe(ms);
});

test.each([
  [0, [null, null], null],
  [0, [null, 0], 250],
  [1, [0], 1_000],
  [0, [5_000, 9_000], 5_000],
  [2, [0], 3_000],
  [3, [0], null],
])('repetition %i after the wishes %j waits %s ms', (round, wishes, ms) => {
  const attempts = wishes.map((retryAfterMs) => ({ host: 'h', status: 503, reason: '', retryAfterMs }));
  expect(pauseBefore(round, attempts, 0)).toBe(ms);
  expect(pauseBefore(round, attempts, 1)).toBe(ms === null ? null : ms * 1.25);
});
