import { expect, test } from 'vitest';
import { allSettled } from './all-settled.ts';

test('gives all results in their order', async () => {
  expect(await allSettled<[number, string]>([Promise.resolve(1), Promise.resolve('two')])).toEqual([
    1,
    'two',
  ]);
});

test('a failure waits for the steps that still act, and the first in order is thrown', async () => {
  const slow = Promise.withResolvers<void>();
  let ended = false;
  const all = allSettled<[void, void, void]>([
    slow.promise.finally(() => {
      ended = true;
    }),
    Promise.reject(new Error('one')),
    Promise.reject(new Error('two')),
  ]);
  setTimeout(() => slow.resolve(), 10);
  await expect(all).rejects.toThrow('one');
  expect(ended).toBe(true);
});
