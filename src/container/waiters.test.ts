import { expect, test } from 'vitest';
import { ExitWaiters } from './waiters.ts';

const patient = new AbortController().signal;

test('all who wait for a container wake at its exit, others do not', async () => {
  const exits = new ExitWaiters();
  const both = [exits.next('a', 60_000, patient), exits.next('a', 60_000, patient)];
  const other = exits.next('b', 20, patient);
  exits.exited('a');
  expect(await Promise.all(both)).toEqual([true, true]);
  expect(await other).toBe(false);
});

test('an exit before the wait is not remembered', async () => {
  const exits = new ExitWaiters();
  exits.exited('a');
  expect(await exits.next('a', 5, patient)).toBe(false);
});

test('the wait ends with the reason of the signal', async () => {
  const exits = new ExitWaiters();
  const caller = new AbortController();
  const wait = exits.next('a', 60_000, caller.signal);
  caller.abort(new Error('client left'));
  await expect(wait).rejects.toThrow('client left');
  await expect(exits.next('a', 60_000, caller.signal)).rejects.toThrow('client left');
});

test('a grace period longer than a timer can wait does not end at once', async () => {
  const exits = new ExitWaiters();
  const wait = exits.next('a', 365 * 24 * 3600 * 1000, patient);
  const first = await Promise.race([wait, new Promise((resolve) => setTimeout(() => resolve('waits'), 30))]);
  expect(first).toBe('waits');
  exits.exited('a');
  expect(await wait).toBe(true);
});
