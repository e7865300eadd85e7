import { expect, test } from 'vitest';
import { defaultConfig, defaultRuntimeHandler } from '../../config/schema.ts';
import { handlers } from './status.ts';

test('every handler is listed with what it can do, the default one without a name too', () => {
  const runtimes = { runc: defaultRuntimeHandler(), other: defaultRuntimeHandler() };
  const config = { ...defaultConfig(), runtimes, defaultRuntime: 'other' };
  const able = { recursiveReadOnly: true, idMappedMounts: false, userNamespaces: false, seccomp: true };
  expect(
    handlers({ config, abilities: new Map([['other', able]]) }).map(({ name, features }) => [
      name,
      features?.recursiveReadOnlyMounts,
    ]),
  ).toEqual([
    ['', true],
    ['runc', false],
    ['other', true],
  ]);
});
