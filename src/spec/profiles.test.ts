import { describe, expect, test } from 'vitest';
import { withAppArmor } from './apparmor.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { securityContext } from './fixtures.ts';
import { MASKED_PATHS, READONLY_PATHS, withPathRules } from './paths.ts';
import { withSeccomp } from './seccomp.ts';

describe.each([
  ['seccomp', withSeccomp, 'seccomp', 'seccompProfilePath'],
  ['AppArmor', withAppArmor, 'apparmor', 'apparmorProfile'],
] as const)('%s', (_, option, field, oldField) => {
  test.each([
    ['no profile', {}],
    ['the default', { [field]: { profileType: 'RuntimeDefault', localhostRef: '' } }],
    ['unconfined', { [field]: { profileType: 'Unconfined', localhostRef: '' }, [oldField]: 'unconfined' }],
  ])('%s changes nothing', (_name, over) => {
    expect(buildSpec(EMPTY_SPEC, [option(securityContext(over))])).toEqual(EMPTY_SPEC);
  });

  test.each([
    [{ [field]: { profileType: 'Localhost', localhostRef: 'mine.json' } }],
    [{ [oldField]: 'localhost/mine.json' }],
  ])('%j is refused by name', (over) => {
    const call = () => buildSpec(EMPTY_SPEC, [option(securityContext(over))]);
    expect(call).toThrow(expect.objectContaining({ code: 'unimplemented' }));
    expect(call).toThrow(/mine\.json/);
  });
});

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
