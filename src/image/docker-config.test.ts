import { expect, test } from 'vitest';
import { credentialsFromFile } from './docker-config.ts';

const pair = (text: string) => Buffer.from(text).toString('base64');
const config = {
  auths: {
    'https://index.docker.io/v1/': { auth: pair('hub:pw') },
    'reg.test:5000': { username: 'u', password: 'p' },
    'quay.test': { auth: pair('all:1') },
    'quay.test/team': { auth: pair('team:2') },
    'https://id.test': { auth: pair('x:y'), identitytoken: 'I' },
    'token.test': { registrytoken: 'R' },
    'empty.test': {},
    '*.glob.test': { auth: pair('any:3') },
    '*.glob.test/team': { auth: pair('any-team:4') },
    'a.glob.test': { auth: pair('a:5') },
  },
};
const read = (host: string, path = 'a/b', more = {}) =>
  credentialsFromFile(JSON.stringify({ ...config, ...more }), { file: '/c.json', of: { host, path } });

test.each([
  ['docker.io', 'library/x', { kind: 'basic', username: 'hub', password: 'pw' }],
  ['reg.test:5000', 'a', { kind: 'basic', username: 'u', password: 'p' }],
  ['reg.test', 'a', { kind: 'none' }],
  ['quay.test', 'team/app', { kind: 'basic', username: 'team', password: '2' }],
  ['quay.test', 'teams/app', { kind: 'basic', username: 'all', password: '1' }],
  ['id.test', 'a', { kind: 'identity', token: 'I' }],
  ['token.test', 'a', { kind: 'registry', token: 'R' }],
  ['empty.test', 'a', { kind: 'none' }],
  ['b.glob.test', 'x', { kind: 'basic', username: 'any', password: '3' }],
  ['b.glob.test', 'team/x', { kind: 'basic', username: 'any-team', password: '4' }],
  ['a.glob.test', 'team/x', { kind: 'basic', username: 'a', password: '5' }],
  ['glob.test', 'x', { kind: 'none' }],
])('%s/%s', (host, path, credentials) => {
  expect(read(host, path)).toEqual(credentials);
});

test('an empty file has none', () => {
  expect(credentialsFromFile('{}', { file: '/c', of: { host: 'a.test', path: 'x' } })).toEqual({
    kind: 'none',
  });
});

test('helper programs are refused for those who need them alone', () => {
  const more = { credHelpers: { 'ecr.test': 'ecr-login' }, credsStore: 'pass' };
  expect(() => read('ecr.test', 'a', more)).toThrow(
    '/c.json: credHelpers, which ecr.test needs, is not supported',
  );
  expect(() => read('empty.test', 'a', more)).toThrow('credsStore');
  expect(read('quay.test', 'x', more)).toMatchObject({ kind: 'basic' });
  expect(read('unknown.test', 'x', more)).toEqual({ kind: 'none' });
});

test.each([
  ['{"auths": {"a.test": "secret"', 'is not JSON'],
  ['[]', 'must be an object'],
  ['{"auths": 1}', 'auths must be an object'],
  ['{"auths": {"a.test": {"auth": "c2VjcmV0"}}}', 'auths.a.test'],
  ['{"auths": {"a.test": {"auth": {"x": "secret"}}}}', 'auths.a.test.auth must be a string'],
])('%s is refused', (text, part) => {
  const act = () => credentialsFromFile(text, { file: '/c', of: { host: 'a.test', path: 'x' } });
  expect(act).toThrow(part);
  expect(act).not.toThrow(/secret|c2VjcmV0/);
});
