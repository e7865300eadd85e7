import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

test('a turn is over after some milliseconds, and others have theirs before the next', async () => {
  const turns = new Turns();
  expect(turns.over()).toBe(false);
  const end = performance.now() + 6;
  while (performance.now() < end);
  expect(turns.over()).toBe(true);
  let hadTurn = false;
  setImmediate(() => {
    hadTurn = true;
  });
  await turns.next();
  expect([hadTurn, turns.over()]).toEqual([true, false]);
});
