import { expect, test } from 'vitest';
import type { Finding } from './diagnose.ts';
import type { Report } from './report.ts';
import { exitCodeOf, reportJson, reportText } from './report.ts';

const dead: Finding = {
  kind: 'files',
  id: 'a',
  what: 'files of a: /x',
  why: 'no record',
  fix: 'remove them',
  trace: { kind: 'files', id: 'a', at: '/x', ours: true },
};
const foreign: Finding = { ...dead, kind: 'task', what: 'task of b', fix: null, trace: null };
const clean: Report = { findings: [], fixed: [], refused: null };

test.each<[string, Report, string[], number]>([
  ['clean', clean, ['nothing is amiss', ''], 0],
  [
    'found',
    { ...clean, findings: [dead, foreign] },
    [
      'files of a: /x (no record); --fix would: remove them',
      'task of b (no record); left alone',
      '2 found',
      '',
    ],
    1,
  ],
  [
    'fixed',
    { ...clean, findings: [dead], fixed: [{ finding: dead, error: null }] },
    ['files of a: /x (no record); done: remove them', '1 found, 1 cleaned', ''],
    0,
  ],
  [
    'failed',
    { ...clean, findings: [dead], fixed: [{ finding: dead, error: new Error('busy') }] },
    [
      'files of a: /x (no record); --fix would: remove them; tried, and failed: busy',
      '1 found, 0 cleaned',
      '',
    ],
    1,
  ],
  [
    'refused',
    { ...clean, findings: [dead], refused: 'it runs' },
    ['files of a: /x (no record); --fix would: remove them', '1 found; nothing was cleaned: it runs', ''],
    1,
  ],
])('%s', (_, report, lines, code) => {
  expect(reportText(report).split('\n')).toEqual(lines);
  expect(exitCodeOf(report)).toBe(code);
});

test('as JSON, without what is only for the clean-up', () => {
  const report = { ...clean, findings: [dead], fixed: [{ finding: dead, error: new Error('busy') }] };
  expect(JSON.parse(reportJson(report))).toEqual({
    refused: null,
    findings: [
      {
        kind: 'files',
        id: 'a',
        what: 'files of a: /x',
        why: 'no record',
        fix: 'remove them',
        fixed: false,
        error: 'busy',
      },
    ],
  });
});
