import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { during, Fault } from '../lib/fault.ts';
import { toStatus } from './status.ts';

const inner = new Fault('not_found', 'no blob');

it.each<[unknown, status, string]>([
  [new Fault('already_exists', 'taken'), status.ALREADY_EXISTS, 'taken'],
  [new Fault('deadline_exceeded', 'late'), status.DEADLINE_EXCEEDED, 'late'],
  [during('read image', inner), status.NOT_FOUND, 'read image: no blob'],
  [during('read image', inner, 'internal'), status.INTERNAL, 'read image: no blob'],
  [new DOMException('gone', 'AbortError'), status.CANCELLED, 'gone'],
  [new DOMException('slow', 'TimeoutError'), status.DEADLINE_EXCEEDED, 'slow'],
  [new TypeError('x is null'), status.INTERNAL, 'x is null'],
  ['a string', status.INTERNAL, 'a string'],
])('%s', (error, code, details) => {
  expect(toStatus(error)).toEqual({ code, details });
});

it('cuts a message that would not fit into a header', () => {
  const { details } = toStatus(new Error('é'.repeat(100_000)));
  expect(Buffer.byteLength(encodeURIComponent(details))).toBeLessThan(64 * 1024);
  expect(details).toContain('cut off');
});
