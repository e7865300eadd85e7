import { expect, test } from 'vitest';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { MASKED_PATHS, READONLY_PATHS, withPathRules } from './paths.ts';

test.each([
  ['no lists: the defaults', false, [], [], MASKED_PATHS, READONLY_PATHS],
  ['its own lists', false, ['/a'], ['/b'], ['/a'], ['/b']],
  ['one list: the other is empty on purpose', false, ['/a'], [], ['/a'], []],
  ['privileged: none', true, ['/a'], ['/b'], [], []],
])('paths, %s', (_, privileged, maskedPaths, readonlyPaths, masked, readonly) => {
  const { linux } = buildSpec(EMPTY_SPEC, [withPathRules({ privileged, maskedPaths, readonlyPaths })]);
  expect(linux.maskedPaths).toEqual(masked);
  expect(linux.readonlyPaths).toEqual(readonly);
});
