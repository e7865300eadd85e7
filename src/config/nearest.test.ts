import { expect, it } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

it.each([
  ['', '', 0],
  ['abc', 'abc', 0],
  ['kitten', 'sitting', 3],
  ['', 'abc', 3],
  ['root', 'roots', 1],
  ['flaw', 'lawn', 2],
])('%j to %j is %i edits', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

it.each([
  ['bin_dir', 'bin_dirs'],
  ['logLevel', 'log_level'],
  ['log-level', 'log_level'],
  ['lissen', 'listen'],
  ['snapshotter', null],
  ['rt', null],
])('%s was meant as %s', (name, expected) => {
  expect(nearest(name, ['bin_dirs', 'log_level', 'listen', 'root'])).toBe(expected);
});
