import { expect, test } from 'vitest';
import { bySpecificity, covers, parseScope } from './credential-scope.ts';

test.each([
  ['reg.test', 'reg.test', 'a', true],
  ['https://reg.test/', 'reg.test', 'a', true],
  ['reg.test', 'reg.test:5000', 'a', false],
  ['reg.test:5000', 'reg.test', 'a', false],
  ['reg.test:5000', 'reg.test:5000', 'a', true],
  ['*.test', 'reg.test', 'a/b', true],
  ['*.test', 'a.reg.test', 'a', false],
  ['*.*.test', 'a.reg.test', 'a', true],
  ['*.test', 'test', 'a', false],
  ['*', 'localhost', 'a', true],
  ['*.test:5000', 'reg.test:5000', 'a', true],
  ['*.test:5000', 'reg.test:5001', 'a', false],
  ['*.test', 'reg.test:5000', 'a', false],
  ['reg.*.example.test', 'reg.eu-1.example.test', 'a', true],
  ['reg-*.test', 'reg-eu.test', 'a', true],
  ['reg-*.test', 'other-eu.test', 'a', false],
  ['reg-?.test', 'reg-12.test', 'a', false],
  ['r.g.test', 'rxg.test', 'a', false],
  ['*.test/team', 'reg.test', 'team/app', true],
  ['*.test/team/', 'reg.test', 'team', true],
  ['*.test/team', 'reg.test', 'teams/app', false],
  ['*.test/v2/team', 'reg.test', 'team/app', true],
  ['https://index.docker.io/v1/', 'docker.io', 'library/x', true],
  ['docker.io', 'docker.io', 'library/x', true],
  ['[::1]:5000', '[::1]:5000', 'a', true],
  ['[::1]:5000', '[::1]:5001', 'a', false],
  ['[::1]', '[::1]', 'a', true],
  ['[::1]', '[::2]', 'a', false],
])('%s for %s/%s: %s', (server, host, path, expected) => {
  expect(covers(parseScope(server), { host, path })).toBe(expected);
});

test('a plain host goes before patterns, a longer one before a shorter, and so do paths', () => {
  const servers = [
    '*.test',
    '*.reg.test',
    'a.reg.test',
    'a.reg.test/team/app',
    '*.test/x',
    'a.reg.test/team',
  ];
  const sorted = servers.map(parseScope).toSorted(bySpecificity);
  expect(sorted.map(({ host, path }) => `${host}/${path}`)).toEqual([
    'a.reg.test/team/app',
    'a.reg.test/team',
    'a.reg.test/',
    '*.reg.test/',
    '*.test/x',
    '*.test/',
  ]);
});
