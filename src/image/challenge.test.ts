import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';

test.each([
  [['Basic realm="Registry"'], [{ scheme: 'basic', parameters: { realm: 'Registry' } }]],
  [
    ['Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a/b:pull,push"'],
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.test/token',
          service: 'registry.test',
          scope: 'repository:a/b:pull,push',
        },
      },
    ],
  ],
  [
    ['bearer Realm=https://a.test/t , service = x'],
    [{ scheme: 'bearer', parameters: { realm: 'https://a.test/t', service: 'x' } }],
  ],
  [
    ['Negotiate, Basic realm="a \\"b\\"", Bearer realm="r"'],
    [
      { scheme: 'basic', parameters: { realm: 'a "b"' } },
      { scheme: 'bearer', parameters: { realm: 'r' } },
    ],
  ],
  [
    ['Basic realm="one"', 'Bearer realm="two"'],
    [
      { scheme: 'basic', parameters: { realm: 'one' } },
      { scheme: 'bearer', parameters: { realm: 'two' } },
    ],
  ],
  [[''], []],
  [['"""'], []],
  [['Basic realm="unclosed'], [{ scheme: 'basic', parameters: { realm: '' } }]],
])('%j', (headers, challenges) => {
  expect(parseChallenges(headers)).toEqual(challenges);
});
