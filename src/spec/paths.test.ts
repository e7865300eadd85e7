import { expect, test } from 'vitest';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { MASKED_PATHS, READONLY_PATHS, withPathRules } from './paths.ts';

const plain = { privileged: false, ownUsers: false };
const withUsers = { ...plain, ownUsers: true };

test.each([
  ['no lists: the defaults', plain, [], [], MASKED_PATHS, READONLY_PATHS],
  ['its own lists', plain, ['/a'], ['/b'], ['/a'], ['/b']],
  ['one list: the other is empty on purpose', plain, ['/a'], [], ['/a'], []],
  ['no lists in a user namespace: procMount Unmasked', withUsers, [], [], [], []],
  ['its own lists in a user namespace', withUsers, ['/a'], ['/b'], ['/a'], ['/b']],
  ['privileged: none', { ...plain, privileged: true }, ['/a'], ['/b'], [], []],
])('paths, %s', (_, pod, maskedPaths, readonlyPaths, masked, readonly) => {
  // Whatever the base spec of the runtime handler has.
  const base = { ...EMPTY_SPEC, linux: { ...EMPTY_SPEC.linux, maskedPaths: ['/base'] } };
  const { linux } = buildSpec(base, [withPathRules({ ...pod, maskedPaths, readonlyPaths })]);
  expect(linux.maskedPaths).toEqual(masked);
  expect(linux.readonlyPaths).toEqual(readonly);
});
