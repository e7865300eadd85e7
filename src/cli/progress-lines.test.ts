import { expect, it, test } from 'vitest';
import type { LayerState, PullState } from '../registry/progress.ts';
import { formatBytes } from './format-bytes.ts';
import { progressNews, progressScreen, summary } from './progress-lines.ts';
import { showProgress } from './show-progress.ts';

function layer(number: number, phase: LayerState['phase'], offset: number, total = 1_000_000): LayerState {
  return {
    digest: `sha256:${String(number).padStart(64, '0').split('').toReversed().join('')}`,
    phase,
    offset,
    total,
  };
}

function pull(change: Partial<PullState> = {}): PullState {
  const layers = [layer(0, 'done', 10, 10), layer(1, 'done', 1_000_000), layer(2, 'fetch', 250_000)];
  return {
    name: 'a.test/b:1',
    phase: 'fetch',
    layers,
    offset: 1_250_010,
    total: 2_000_010,
    downloaded: 1_250_010,
    rate: 625_000,
    ms: 2_000,
    ...change,
  };
}

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [99_940, '99.9 kB'],
  [99_960, '100 kB'],
  [999_600, '1.0 MB'],
  [23_400_000, '23.4 MB'],
  [5_000_000_000_000_000, '5000 TB'],
])('%i bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('a summary has bytes, rate and layers once they are known', () => {
  expect(summary(pull())).toBe('a.test/b:1: pulling, 1.3 MB of 2.0 MB, 625 kB/s, 1/2 layers');
  expect(summary(pull({ phase: 'resolve', layers: [], offset: 0, total: 0, rate: 0 }))).toBe(
    'a.test/b:1: resolving',
  );
});

test('a screen has a bar for each layer', () => {
  expect(progressScreen(pull(), { columns: 80, rows: 24 }).slice(1)).toEqual([
    '  100000000000 ████████████████████████ done      1.0 MB',
    '  200000000000 ██████░░░░░░░░░░░░░░░░░░ fetching  250 kB of 1.0 MB',
  ]);
});

test('a screen is never larger than the terminal, and hides what is done first', () => {
  const layers = [
    layer(0, 'done', 1),
    ...Array.from({ length: 30 }, (_, n) => layer(n + 1, 'done', 1_000_000)),
  ];
  layers.push(layer(31, 'fetch', 0));
  const lines = progressScreen(pull({ layers }), { columns: 60, rows: 10 });
  expect(lines.length).toBeLessThan(10);
  expect(lines.some((line) => line.includes('fetching'))).toBe(true);
  expect(lines.at(-1)).toBe('  and 30 more');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(60);
  const waiting = layers.map((one) => ({ ...one, phase: 'wait' as const }));
  expect(progressScreen(pull({ layers: waiting }), { columns: 80, rows: 10 }).length).toBeLessThan(10);
});

test('news are phases and layers that ended', () => {
  const before = pull();
  const [config, one] = before.layers as [LayerState, LayerState];
  expect(progressNews(before, before)).toEqual([]);
  const layers = [config, one, layer(2, 'fetched', 1_000_000)];
  expect(progressNews(before, pull({ layers }))).toEqual(['a.test/b:1: layer 200000000000 fetched, 1.0 MB']);
  expect(progressNews(before, pull({ phase: 'record' }))).toEqual([
    'a.test/b:1: recording, 1.3 MB of 2.0 MB, 625 kB/s, 1/2 layers',
  ]);
});

test.each([true, false])('showing ends with a last look (terminal: %s)', (isTTY) => {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) > 0 };
  const shown = showProgress(() => [pull()], stream);
  shown[Symbol.dispose]();
  expect(written.join('')).toContain('a.test/b:1: pulling');
  expect(written.join('').includes('\u001B')).toBe(isTTY);
});
