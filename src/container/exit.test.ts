import { expect, test } from 'vitest';
import { exitReason } from './exit.ts';

test.each([
  [0, 0, 'Completed'],
  [0, 3, 'Completed'],
  [1, 0, 'Error'],
  [137, null, 'Error'],
  [137, 1, 'OOMKilled'],
  [1, 2, 'OOMKilled'],
])('exit code %d with %s OOM kills is %s', (exitCode, kills, reason) => {
  expect(exitReason({ exitCode }, kills)).toBe(reason);
});

test('an exit that nobody saw is unknown', () => {
  expect(exitReason(null, 1)).toBe('Unknown');
});
