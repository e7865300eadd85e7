import { expect, test } from 'vitest';
import type { SecurityProfile__Output as SecurityProfile } from '../gen/runtime/v1/SecurityProfile.ts';
import type { ProfileWish } from './security-profile.ts';
import { profileWish } from './security-profile.ts';

function profile(profileType: SecurityProfile['profileType'], localhostRef = ''): SecurityProfile {
  return { profileType, localhostRef };
}

test.each<[string, SecurityProfile | null, string, ProfileWish]>([
  ['nothing', null, '', { kind: 'unset' }],
  ['the default', profile('RuntimeDefault'), '', { kind: 'default' }],
  ['unconfined', profile('Unconfined'), '', { kind: 'unconfined' }],
  ['localhost', profile('Localhost', '/p/a.json'), '', { kind: 'localhost', name: '/p/a.json' }],
  ['localhost with the prefix', profile('Localhost', 'localhost//a'), '', { kind: 'localhost', name: '/a' }],
  ['the word for the default', null, 'runtime/default', { kind: 'default' }],
  ["Docker's word for it", null, 'docker/default', { kind: 'default' }],
  ['the word unconfined', null, 'unconfined', { kind: 'unconfined' }],
  ['the word for localhost', null, 'localhost/mine', { kind: 'localhost', name: 'mine' }],
  ['both: the newer field', profile('Unconfined'), 'localhost/mine', { kind: 'unconfined' }],
])('%s', (_, message, word, expected) => {
  expect(profileWish('seccomp', message, word)).toEqual(expected);
});

test.each<[string, SecurityProfile | null, string, RegExp]>([
  ['a reference without its type', profile('RuntimeDefault', 'x'), '', /localhost_ref "x" .* RuntimeDefault/],
  ['localhost without a reference', profile('Localhost'), '', /localhost without a name/],
  ['the word without a name', null, 'localhost/', /localhost without a name/],
  ['another word', null, 'strict', /"strict" is none of/],
])('%s is refused', (_, message, word, expected) => {
  const call = () => profileWish('AppArmor', message, word);
  expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  expect(call).toThrow(expected);
  expect(call).toThrow(/^AppArmor profile/);
});
