import { expect, test } from 'vitest';
import type { Mount__Output } from '../gen/runtime/v1/Mount.ts';
import { criMount } from './fixtures.ts';
import { checkMounts } from './mount-rules.ts';

const ABLE = { recursiveReadOnly: true };
const image = { image: 'x', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
const ids = { containerId: 0, hostId: 65_536, length: 65_536 };
const ofImage = { hostPath: '', image, readonly: true };

test.each<[string, Partial<Mount__Output>]>([
  ['plain', {}],
  ['read-only all the way', { readonly: true, recursiveReadOnly: true }],
  ['with every option', { mountOptions: ['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime'] }],
  ['of an image', ofImage],
  ['of a part of an image', { ...ofImage, imageSubPath: 'a/..b/c' }],
  ['with dots in its path', { containerPath: '/a/../b' }],
])('a mount %s is fine', (_, over) => {
  expect(() => checkMounts([criMount(over)], ABLE)).not.toThrow();
});

test.each<[string, Partial<Mount__Output>, RegExp]>([
  ['a relative container path', { containerPath: 'data' }, /container path is not absolute/],
  ['the root', { containerPath: '/a/..' }, /root of the container/],
  ['no host path', { hostPath: '' }, /host path "" is not absolute/],
  ['rro that is writable', { recursiveReadOnly: true }, /needs readonly/],
  [
    'rro that is not private',
    { recursiveReadOnly: true, readonly: true, propagation: 'PROPAGATION_HOST_TO_CONTAINER' },
    /needs private propagation/,
  ],
  [
    'an option that undoes a field',
    { readonly: true, mountOptions: ['noexec', 'rw'] },
    /option "rw" is not one of/,
  ],
  ['two options in one', { mountOptions: ['noexec,suid'] }, /option "noexec,suid" is not one of/],
  [
    'an image without a name',
    { ...ofImage, image: { ...image, image: '' } },
    /^ImageVolumeMountFailed: .* no name/,
  ],
  ['an image and a host path', { ...ofImage, hostPath: '/x' }, /^ImageVolumeMountFailed: .* both/],
  ['an image to write to', { ...ofImage, readonly: false }, /^ImageVolumeMountFailed: .* with readonly/],
  [
    'an image that propagates',
    { ...ofImage, propagation: 'PROPAGATION_BIDIRECTIONAL' },
    /private propagation/,
  ],
  ['an absolute sub path', { ...ofImage, imageSubPath: '/etc' }, /absolute/],
  ['ids without groups', { uidMappings: [ids] }, /exactly one group id mapping/],
  [
    'ids that go both ways',
    { uidMappings: [ids], gidMappings: [ids], propagation: 'PROPAGATION_BIDIRECTIONAL' },
    /an id-mapped mount cannot be bidirectional/,
  ],
  ['a sub path that leaves', { ...ofImage, imageSubPath: 'a/../../b' }, /"\.\." in it/],
])('%s is refused', (_, over, message) => {
  expect(() => checkMounts([criMount(), criMount(over)], ABLE)).toThrow(
    expect.objectContaining({ code: 'invalid_argument', message: expect.stringMatching(message) }),
  );
});

test.each([undefined, { recursiveReadOnly: false }])(
  'rro is refused by its name when the runtime has %j',
  (able) => {
    const wanted = criMount({ readonly: true, recursiveReadOnly: true });
    const refusal = { code: 'failed_precondition', message: expect.stringMatching(/^RROUnsupported: /) };
    expect(() => checkMounts([wanted], able)).toThrow(expect.objectContaining(refusal));
  },
);
