import { expect, test } from 'vitest';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.ts';
import { credentialsFromAuth, fingerprint } from './credentials.ts';

const empty: AuthConfig__Output = {
  username: '',
  password: '',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};
const own = { host: 'reg.test', isTrusted: true };
const base64 = (text: string) => Buffer.from(text).toString('base64');

test.each<[string, Partial<AuthConfig__Output> | null, object]>([
  ['no auth', null, { kind: 'none' }],
  ['empty auth', {}, { kind: 'none' }],
  ['name and password', { username: 'u', password: 'p' }, { kind: 'basic', username: 'u', password: 'p' }],
  ['pair', { auth: base64('u:p:q') }, { kind: 'basic', username: 'u', password: 'p:q' }],
  ['padded pair', { auth: base64('u:p\0\0') }, { kind: 'basic', username: 'u', password: 'p' }],
  ['identity', { identityToken: 'i' }, { kind: 'identity', token: 'i' }],
  ['registry', { registryToken: 'r' }, { kind: 'registry', token: 'r' }],
  ['other server', { username: 'u', serverAddress: 'other.test' }, { kind: 'none' }],
  [
    'this server as an url',
    { username: 'u', serverAddress: 'https://reg.test/v1/' },
    { kind: 'basic', username: 'u', password: '' },
  ],
])('%s', (_, auth, expected) => {
  expect(credentialsFromAuth(auth && { ...empty, ...auth }, own)).toEqual(expected);
});

test('a mirror gets those that name it, and none that name nobody', () => {
  const mirror = { host: 'mirror.test', isTrusted: false };
  const ask = (serverAddress: string) =>
    credentialsFromAuth({ ...empty, username: 'u', serverAddress }, mirror).kind;
  expect(['', 'reg.test', 'mirror.test'].map(ask)).toEqual(['none', 'none', 'basic']);
});

test('the old name of the hub means the hub', () => {
  const auth = { ...empty, username: 'u', serverAddress: 'https://index.docker.io/v1/' };
  expect(credentialsFromAuth(auth, { host: 'docker.io', isTrusted: false })).toMatchObject({ kind: 'basic' });
});

test('an unreadable pair is refused without showing it', () => {
  const auth = { ...empty, auth: base64('secret') };
  expect(() => credentialsFromAuth(auth, own)).toThrow(/^auth\.auth is not base64/);
});

test('fingerprints tell credentials apart, and nothing else', () => {
  const one = fingerprint({ ...empty, registryToken: 'secret' });
  expect(one).toBe(fingerprint({ ...empty, registryToken: 'secret' }));
  expect(one).not.toBe(fingerprint({ ...empty, identityToken: 'secret' }));
  expect(one).not.toBe(fingerprint(null));
  expect(one).not.toContain('secret');
});
