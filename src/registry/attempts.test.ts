import { expect, test } from 'vitest';
import { exhausted } from './attempts.ts';

test.each([
  [[null], 'unavailable'],
  [[null, 503, 429], 'unavailable'],
  [[404, null], 'not_found'],
  [[404, 403], 'permission_denied'],
  [[401], 'permission_denied'],
  [[400, 503], 'failed_precondition'],
  [[], 'failed_precondition'],
])('statuses %j end as %s', (statuses, code) => {
  const attempts = statuses.map((status, place) => ({ host: `h${place}`, status, reason: `r${place}` }));
  const fault = exhausted('resolve x', attempts);
  expect(fault.code).toBe(code);
  expect(fault.message.startsWith('RegistryUnavailable: ')).toBe(code === 'unavailable');
  for (const { host, reason } of attempts) expect(fault.message).toContain(`${host}: ${reason}`);
});
