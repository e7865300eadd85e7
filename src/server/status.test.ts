import { expect, it } from 'vitest';
import { during, Fault } from '../lib/fault.ts';
import { toStatus } from './status.ts';

const inner = new Fault('not_found', 'no blob');

it.each<[unknown, string, string]>([
  [new Fault('already_exists', 'taken'), 'already_exists', 'taken'],
  [new Fault('deadline_exceeded', 'late'), 'deadline_exceeded', 'late'],
  [during('read image', inner), 'not_found', 'read image: no blob'],
  [during('read image', inner, 'internal'), 'internal', 'read image: no blob'],
  [new DOMException('gone', 'AbortError'), 'cancelled', 'gone'],
  [new DOMException('slow', 'TimeoutError'), 'deadline_exceeded', 'slow'],
  [new TypeError('x is null'), 'internal', 'x is null'],
  ['a string', 'internal', 'a string'],
])('%s', (error, code, details) => {
  expect(toStatus(error)).toEqual({ code, details });
});

it('cuts a message that would not fit into a header', () => {
  const { details } = toStatus(new Error('€😀'.repeat(100_000)));
  expect(encodeURIComponent(details).length).toBeLessThan(9_000);
  expect(details).toContain('cut off');
});
