import { setImmediate as tick } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { KeyedLock } from './keyed-lock.ts';

test('one holder at a time, in the order they came; other keys are free', async () => {
  const locks = new KeyedLock();
  const order: string[] = [];
  const first = await locks.take('a');
  const second = locks.take('a').then((held) => (order.push('second'), held));
  const third = locks.take('a').then((held) => (order.push('third'), held));
  (await locks.take('b'))[Symbol.dispose]();
  await tick();
  expect(order).toEqual([]);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  expect(order).toEqual(['second', 'third']);
});

test('sharers hold together, and a taker waits for all of them', async () => {
  const locks = new KeyedLock();
  const one = await locks.share('a');
  const two = await locks.share('a');
  let taken = false;
  const taker = locks.take('a').then((held) => ((taken = true), held));
  let lateSharer = false;
  const late = locks.share('a').then((held) => ((lateSharer = true), held));
  one[Symbol.dispose]();
  await tick();
  expect([taken, lateSharer]).toEqual([false, false]);
  two[Symbol.dispose]();
  (await taker)[Symbol.dispose]();
  expect(taken).toBe(true);
  (await late)[Symbol.dispose]();
});

test('who gives up waiting does not block those behind', async () => {
  const locks = new KeyedLock();
  const held = await locks.take('a');
  const gone = new AbortController();
  const quitter = locks.take('a', gone.signal);
  const next = locks.take('a');
  gone.abort(new Error('left'));
  await expect(quitter).rejects.toThrow('left');
  held[Symbol.dispose]();
  held[Symbol.dispose]();
  (await next)[Symbol.dispose]();
});
