import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { linesOf, quantile, reached } from './lines.ts';
import { floorText, sceneText } from './report.ts';
import type { SceneResult } from './results.ts';
import { merged, readResults, writeResults } from './results.ts';
import type { Times } from './times.ts';
import { noTimes } from './times.ts';

function timesOf(cristal: Record<string, number[]>, builtin: Record<string, number[]> = {}): Times {
  return {
    ...noTimes(),
    cristal: new Map(Object.entries(cristal)),
    builtin: new Map(Object.entries(builtin)),
  };
}

function result(name: string, times: Times, over: Partial<SceneResult> = {}): SceneResult {
  const where = { date: '2026-11-29T14:07:20.000Z', scale: 1, processors: 2, load: 0.25, disk: 'tmpfs' };
  return { name, what: `What ${name} does.`, ...where, notes: [], lines: linesOf(times), ...over };
}

test.each([
  [[3], 0.5, 3],
  [[1, 2, 3], 0.5, 2],
  [[10, 1, 9, 2, 8, 3, 7, 4, 6, 5], 0.9, 10],
  [[], 0.5, Number.NaN],
])('of %j a share of %d does not exceed %d', (values, share, expected) => {
  expect(quantile(values, share)).toBe(expected);
});

describe('a goal', () => {
  test.each([
    ['pod up', [60], [100], true],
    ['pod up', [61], [100], false],
    ['pod up beside 10', [200], [100], null],
    ['pods up, 10 at a time', [16], [10], true],
    ['pods up, 10 at a time', [15], [10], false],
    ['ListContainers, 60 pods', [1], [1], true],
    ['ListContainerStats, 60 pods', [11], [100], false],
    ['ListPodSandboxStats, 60 containers', [11], [10], null],
    ['exec out, spdy', [11], [10], false],
    ['pull of 1 layer, 200 MiB', [11], [10], true],
    // These bound cristal's own figure, whatever the other has.
    ['peak RSS, pull of 1 layer, 200 MiB', [199], [50], true],
    ['RSS of the daemon, 100 pods', [131], [200], false],
    ['RSS of the daemon, 300 pods', [131], [200], null],
    ['processor at rest, 100 pods', [2.1], [9], false],
  ])('of %s with %j beside %j: %s', (label, ours, theirs, expected) => {
    const [line] = linesOf(timesOf({ [label]: ours }, { [label]: theirs }));
    expect(line && reached(line)).toBe(expected);
  });

  test('that compares says nothing where only one side has a figure', () => {
    const [line] = linesOf(timesOf({ 'exec out, websocket': [5] }));
    expect(line).toMatchObject({ ratio: null, values: { cristal: { median: 5, p90: 5, count: 1 } } });
    expect(line && reached(line)).toBeNull();
  });
});

test('a scene is shown as a table, with its goals, units and notes', () => {
  const times = timesOf(
    { 'pod up': [60, 61, 62], 'log lines of 64 bytes': [40] },
    { 'pod up': [100, 100, 100], 'log lines of 64 bytes': [20] },
  );
  expect(sceneText(result('one-pod', times, { notes: ['A note.'], scale: 0.1 }))).toBe(`## one-pod

What one-pod does. 2026-11-29 14:07 UTC, 2 processors, load 0.3 at its start, state in memory, the rest on tmpfs, 0.1 of the usual rounds.

|                              | cristal | containerd 2.3 | ratio |          goal |
| ---------------------------- | ------: | -------------: | ----: | ------------: |
| pod up                       | 61 (62) |      100 (100) |  0.61 | ≤ 0.6× **no** |
| log lines of 64 bytes, MiB/s |      40 |             20 |  2.00 |   ≥ 4× **no** |

A note.`);
});

test('the floor is set beside the rows of other scenes that have its name', () => {
  const times = {
    ...noTimes(),
    floor: new Map([
      ['StartContainer', [50]],
      ['Tasks.Start', [5]],
    ]),
  };
  const sides = timesOf({ StartContainer: [75] }, { StartContainer: [40] });
  expect(floorText([result('one-pod', sides)])).toBe('');
  expect(floorText([result('floor', times), result('one-pod', sides)])).toBe(`## Above the floor

|                | floor | cristal above it | containerd 2.3 above it |
| -------------- | ----: | ---------------: | ----------------------: |
| StartContainer |    50 |    +25.0 (1.50×) |           −10.0 (0.80×) |
| Tasks.Start    |     5 |                  |                         |`);
});

describe('results', () => {
  const names = ['a', 'b', 'c'];
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'cristal-results-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('of a scene take the place of its older ones and keep the order of scenes', () => {
    const [a, b, c] = names.map((name) => result(name, timesOf({ x: [1] })));
    const newer = result('b', timesOf({ x: [2] }), { date: '2026-11-30T00:00:00.000Z' });
    if (!a || !b || !c) throw new Error('there are three');
    expect(merged([a, b, c], newer, names)).toEqual([a, newer, c]);
    expect(merged([c], newer, names)).toEqual([newer, c]);
  });

  test('are found again as they were written, with tables and a chart beside them', () => {
    const all = [result('a', timesOf({ 'pod up': [50] }, { 'pod up': [100] }))];
    writeResults(join(dir, 'new'), all);
    expect(readResults(join(dir, 'new'), names)).toEqual(all);
    expect(readFileSync(join(dir, 'new/latest.md'), 'utf8')).toContain('| pod up |      50 |');
    const chart = readFileSync(join(dir, 'new/chart.svg'), 'utf8');
    expect(chart).toContain('>pod up</text>');
    expect(chart).toContain('>0.50</text>');
  });

  test('are none where nothing was written, and where it was written in another shape', () => {
    expect(readResults(dir, names)).toEqual([]);
    writeFileSync(join(dir, 'latest.json'), '{"date":"2026-11-23","lines":[]}');
    expect(readResults(dir, names)).toEqual([]);
  });
});
