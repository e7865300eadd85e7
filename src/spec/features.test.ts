import { expect, test } from 'vitest';
import type { OciFeatures } from './features.ts';
import { abilitiesOf, readFeatures } from './features.ts';

const NONE: OciFeatures = { mountOptions: [], namespaces: [], seccomp: true };
const ALL: OciFeatures = {
  mountOptions: ['ro', 'rro'],
  namespaces: ['pid', 'user'],
  seccomp: true,
};
const NEW = { mountAttributes: true, userNamespaces: true };
const KERNEL = { kernel: NEW, kernelRelease: '5.19.0-46-generic' };

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
  [
    'a kernel without user namespaces',
    [ALL, { ...KERNEL, kernel: { ...NEW, userNamespaces: false } }],
    ['recursiveReadOnly'],
  ],
  ['a kernel before 5.19', [ALL, { ...KERNEL, kernelRelease: '5.15.0-91-generic' }], ['recursiveReadOnly']],
  ['a kernel before 5.12', [ALL, { ...KERNEL, kernel: { ...NEW, mountAttributes: false } }], []],
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
