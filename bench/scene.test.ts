import { expect, test } from 'vitest';
import type { Stage } from './scene.ts';
import { inTurns } from './scene.ts';
import { add, noTimes } from './times.ts';

test('sides take turns, and rounds of the warm-up do not count', async () => {
  const stage: Stage = { times: noTimes(), pods: [], rounds: () => 2, note: () => {}, afterwards: () => {} };
  const turns: string[] = [];
  await inTurns(stage, { rounds: 20, warmUp: 1 }, async ({ side, round, times }) => {
    turns.push(`${side} ${round}`);
    add(times[side], 'round', round);
  });
  expect(turns).toEqual(['cristal 0', 'builtin 0', 'cristal 1', 'builtin 1', 'cristal 2', 'builtin 2']);
  expect(stage.times.cristal.get('round')).toEqual([1, 2]);
  expect(stage.times.builtin.get('round')).toEqual([1, 2]);
});
