import { expect, test } from 'vitest';
import { Joins } from './joins.ts';
import { createSlots } from './slots.ts';

const signal = new AbortController().signal;

test('one run serves all who ask while it runs, and the next asker starts anew', async () => {
  const joins = new Joins<number>('pull');
  let runs = 0;
  const start = async () => {
    await Promise.resolve();
    return ++runs;
  };
  const both = [joins.run('a', start, signal), joins.run('a', start, signal)];
  expect(await Promise.all([...both, joins.run('b', start, signal)])).toEqual([1, 1, 2]);
  expect(await joins.run('a', start, signal)).toBe(3);
});

test('leaving ends the wait and not the work, whose failure then bothers nobody', async () => {
  const joins = new Joins<number>('pull');
  const { promise, reject } = Promise.withResolvers<number>();
  const leaver = new AbortController();
  const wait = joins.run('a', () => promise, leaver.signal);
  leaver.abort(new Error('left'));
  await expect(wait).rejects.toThrow('left');
  const stayed = joins.run('a', () => Promise.resolve(0), signal);
  reject(new Error('failed'));
  await expect(stayed).rejects.toThrow('failed');
  await joins.idle();
  expect(await joins.run('a', () => Promise.resolve(7), signal)).toBe(7);
});

test('slots keep the limit and the order, after failures too', async () => {
  const slots = createSlots(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const tasks = [0, 1, 2, 3, 4].map((number) =>
    slots(async () => {
      order.push(number);
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      if (number === 1) throw new Error('one');
    }),
  );
  const results = await Promise.allSettled(tasks);
  expect(results.map(({ status }) => status === 'rejected')).toEqual([false, true, false, false, false]);
  expect({ order, most }).toEqual({ order: [0, 1, 2, 3, 4], most: 2 });
});

test('who waits for a slot may leave, and takes none', async () => {
  const slots = createSlots(1);
  const { promise, resolve } = Promise.withResolvers<void>();
  const leaver = new AbortController();
  const first = slots(() => promise);
  const second = slots(() => Promise.resolve('second'), leaver.signal);
  const third = slots(() => Promise.resolve('third'), signal);
  leaver.abort(new Error('left'));
  await expect(second).rejects.toThrow('left');
  resolve();
  await first;
  expect(await third).toBe('third');
});
