import { expect, test } from 'vitest';
import { exitReason } from './exit.ts';

test.each([
  [0, 0, 'Completed'],
  [0, 3, 'Completed'],
  [1, 0, 'Error'],
  [137, null, 'Error'],
  [137, 1, 'OOMKilled'],
  [1, 2, 'OOMKilled'],
])('exit code %d with %s OOM kills is %s', (code, kills, reason) => {
  expect(exitReason(code, kills)).toBe(reason);
});
