import { expect, test } from 'vitest';
import { outliveShim, shimMayBeEnding } from './ending-shim.ts';

const NOW = 100_000_000_000n;
const exited = (secondsAgo: number) => ({
  id: 'c',
  state: 'exited' as const,
  finishedAt: NOW - BigInt(secondsAgo) * 1_000_000_000n,
});
const running = { id: 'c', state: 'running' as const, finishedAt: 0n };
const created = { id: 'c', state: 'created' as const, finishedAt: 0n };

test.each<[string, number, Parameters<typeof shimMayBeEnding>[1], boolean]>([
  ['no other container', 0, [], false],
  ['one that never ran', 0, [created], false],
  ['one that ended this second', 0, [exited(1)], true],
  ['one that ended long ago', 0, [exited(6)], false],
  ['one that ended, and one that runs', 0, [exited(1), running], false],
  ['one that ended, and a pause container', 7, [exited(1)], false],
])('%s', (_, pid, others, expected) => {
  expect(shimMayBeEnding({ pid }, others, NOW)).toBe(expected);
});

test.each([
  ['once', false, 9, 1, false],
  ['until it works', true, 1, 2, true],
  ['three times at most', true, 9, 3, false],
])('it is tried %s', async (_, mayBeEnding, failures, tries, works) => {
  let calls = 0;
  const act = async () => {
    calls++;
    if (calls <= failures) throw new Error(`no. ${calls}`);
    return await Promise.resolve('done');
  };
  const done = outliveShim(act, { mayBeEnding, signal: new AbortController().signal });
  await (works ? expect(done).resolves.toBe('done') : expect(done).rejects.toThrow(`no. ${tries}`));
  expect(calls).toBe(tries);
});

const fail = () => Promise.reject(new Error('failed'));

test('nobody waits for a call that was given up', async () => {
  const signal = AbortSignal.abort();
  await expect(outliveShim(fail, { mayBeEnding: true, signal })).rejects.toThrow('failed');
});
