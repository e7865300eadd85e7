import { expect, it } from 'vitest';
import { nsFromTimestamp } from './timestamp.ts';

it.each([
  ['a time keeps its nanoseconds', { seconds: '1795437657', nanos: 460977383 }, 1_795_437_657_460_977_383n],
  ['no timestamp', null, 0n],
  ["Go's zero time", { seconds: '-62135596800', nanos: 0 }, 0n],
])('%s', (_name, timestamp, expected) => {
  expect(nsFromTimestamp(timestamp)).toBe(expected);
});
