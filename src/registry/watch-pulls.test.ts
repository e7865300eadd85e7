import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWatch } from './watch-pulls.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a pull is listed and logged every ten seconds while it runs', () => {
  const lines: unknown[] = [];
  const watch = createWatch(pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }));
  const quick = watch.start('a.test/quick:1');
  const slow = watch.start('a.test/slow:1');
  expect(watch.running().map(({ name }) => name)).toEqual(['a.test/quick:1', 'a.test/slow:1']);
  quick[Symbol.dispose]();
  slow.phase('fetch');
  slow.blobs([
    { digest: 'config', size: 1 },
    { digest: 'layer', size: 100 },
  ]);
  vi.advanceTimersByTime(20_000);
  expect(lines).toHaveLength(2);
  expect(lines).toMatchObject([
    { image: 'a.test/slow:1', phase: 'fetch', bytes: 0, of: 101, layers: '0/1', msg: 'pull goes on' },
    { image: 'a.test/slow:1' },
  ]);
  slow[Symbol.dispose]();
  vi.advanceTimersByTime(20_000);
  expect(lines).toHaveLength(2);
  expect(watch.running()).toEqual([]);
});
