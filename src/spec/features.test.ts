import { expect, test } from 'vitest';
import type { OciFeatures } from './features.ts';
import { abilitiesOf, readFeatures } from './features.ts';

const NONE: OciFeatures = { mountOptions: [], namespaces: [], seccomp: true };
const ALL: OciFeatures = {
  mountOptions: ['ro', 'rro'],
  namespaces: ['pid', 'user'],
  seccomp: true,
};
const KERNEL = { mountAttributes: true, userNamespaces: true };

test.each<[string, unknown, OciFeatures]>([
  ['runc 1.1', { mountOptions: ['ro', 'rro'], linux: { namespaces: ['pid', 'user'] } }, ALL],
  ['built without seccomp', { linux: { seccomp: { enabled: false } } }, { ...NONE, seccomp: false }],
  ['nothing', {}, NONE],
  ['no document', null, NONE],
  ['of another form', { mountOptions: 'rro', linux: [1], other: 2 }, NONE],
  ['words that are none', { mountOptions: ['rro', 3, null] }, { ...NONE, mountOptions: ['rro'] }],
])('the features of a runtime: %s', (_, document, expected) => {
  expect(readFeatures(document)).toEqual(expected);
});

test.each<[string, Parameters<typeof abilitiesOf>, string[]]>([
  ['all', [ALL, KERNEL], ['recursiveReadOnly', 'userNamespaces']],
  ['a runtime without rro', [{ ...ALL, mountOptions: [] }, KERNEL], ['userNamespaces']],
  ['a runtime without user namespaces', [{ ...ALL, namespaces: [] }, KERNEL], ['recursiveReadOnly']],
  ['a kernel without user namespaces', [ALL, { ...KERNEL, userNamespaces: false }], ['recursiveReadOnly']],
  ['a kernel before 5.12', [ALL, { ...KERNEL, mountAttributes: false }], []],
  ['a runtime that could not be asked', [null, KERNEL], []],
])('what a handler can do: %s', (_, [features, kernel], expected) => {
  const { seccomp, ...special } = abilitiesOf(features, kernel);
  expect(seccomp).toBe(true);
  const able = Object.entries(special).filter(([, value]) => value);
  expect(able.map(([name]) => name)).toEqual(expected);
});

test('a runtime that says it was built without seccomp is believed', () => {
  expect(abilitiesOf({ ...ALL, seccomp: false }, KERNEL).seccomp).toBe(false);
});
