import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Credentials } from '../image/credentials.ts';
import { createAuthorizer } from './authorizer.ts';
import type { HttpClient, HttpRequest } from './http.ts';
import { TokenCache } from './token-cache.ts';

const signal = new AbortController().signal;
const bearer = ['Bearer realm="https://auth.test/token",service="reg"'];

/** A token server in memory: each request gets the next of these answers. */
function setUp(credentials: Credentials, answers: [number, string][], tokens = new TokenCache()) {
  const asked: HttpRequest[] = [];
  const http = {
    send: (request: HttpRequest) => {
      asked.push(request);
      const [status, text] = answers[asked.length - 1] ?? [500, ''];
      return Promise.resolve({ status, headers: {}, body: Readable.from([Buffer.from(text)]) });
    },
  } as unknown as HttpClient;
  const tls = { ca: [], client: [], skipVerify: false };
  const where = { registry: 'https://reg.test/v2', scope: 'repository:a/b:pull' };
  return { asked, authorizer: createAuthorizer({ http, tls, credentials, ...where, tokens }) };
}

const anonymous: Credentials = { kind: 'none' };
const user: Credentials = { kind: 'basic', username: 'u', password: 'p' };

test('a token is fetched for the scope, once for all who wait for it', async () => {
  const { asked, authorizer } = setUp(anonymous, [[200, '{"token":"T"}']]);
  expect(authorizer.header()).toBeNull();
  const answers = [authorizer.answer(bearer, null, signal), authorizer.answer(bearer, null, signal)];
  expect(await Promise.all(answers)).toEqual([true, true]);
  expect(authorizer.header()).toBe('Bearer T');
  expect(asked.map(({ url }) => url)).toEqual([
    'https://auth.test/token?service=reg&scope=repository%3Aa%2Fb%3Apull',
  ]);
  expect(asked[0]?.headers).toEqual({});
});

test('a token that has expired is renewed; one that another request renewed is used', async () => {
  const { asked, authorizer } = setUp(user, [
    [200, '{"token":"one"}'],
    [200, '{"access_token":"two"}'],
  ]);
  await authorizer.answer(bearer, null, signal);
  expect(await authorizer.answer(bearer, 'Bearer one', signal)).toBe(true);
  expect(authorizer.header()).toBe('Bearer two');
  expect(await authorizer.answer(bearer, 'Bearer one', signal)).toBe(true);
  expect(asked).toHaveLength(2);
});

test('an identity token is exchanged and not sent as a password', async () => {
  const { asked, authorizer } = setUp({ kind: 'identity', token: 'I' }, [[200, '{"access_token":"T"}']]);
  await authorizer.answer(bearer, null, signal);
  expect(asked[0]).toMatchObject({ method: 'POST', url: 'https://auth.test/token' });
  expect(asked[0]?.body).toContain('refresh_token=I');
});

test('basic is given once; a registry token is used from the start and never renewed', async () => {
  const { authorizer } = setUp(user, []);
  expect(await authorizer.answer(['Basic realm="r"'], null, signal)).toBe(true);
  expect(await authorizer.answer(['Basic realm="r"'], authorizer.header(), signal)).toBe(false);

  const registry = setUp({ kind: 'registry', token: 'R' }, []).authorizer;
  expect(registry.header()).toBe('Bearer R');
  expect(await registry.answer(bearer, 'Bearer R', signal)).toBe(false);
});

test.each<[string, Credentials, string[], [number, string][], string | false]>([
  ['nothing to answer with', anonymous, ['Basic realm="r"'], [], false],
  ['no challenge', user, [], [], false],
  ['a realm that is no URL', user, ['Bearer realm="file:///etc/passwd"'], [], 'unavailable'],
  ['no token', user, bearer, [[200, '{}']], 'unavailable'],
  ['no JSON', user, bearer, [[200, 'secret']], 'unavailable'],
])('%s', async (_, credentials, challenge, answers, outcome) => {
  const { authorizer } = setUp(credentials, answers);
  const answered = authorizer.answer(challenge, null, signal);
  if (outcome === false) return expect(await answered).toBe(false);
  await expect(answered).rejects.toMatchObject({ code: outcome });
  await expect(answered).rejects.not.toThrow('secret');
});

test.each([
  [401, 'secret', 401, null],
  [403, '', 401, null],
  [502, '', 502, 0],
  [429, '', 429, 0],
])('a token server that answers %i', async (status, text, told, retryAfterMs) => {
  const { authorizer } = setUp(user, [[status, text]]);
  const answered = authorizer.answer(bearer, null, signal);
  const attempt = {
    host: 'auth.test',
    status: told,
    reason: `the token server answered ${status}`,
    retryAfterMs,
  };
  await expect(answered).rejects.toMatchObject({ attempt });
});

test('a token serves every pull with the same credentials until it expires', async () => {
  let now = 0;
  const tokens = new TokenCache(() => now);
  const answers: [number, string][] = [
    [200, '{"token":"one","expires_in":100}'],
    [200, '{"token":"two"}'],
  ];
  const first = setUp(user, answers, tokens);
  await first.authorizer.answer(bearer, null, signal);
  expect(setUp(user, [], tokens).authorizer.header()).toBe('Bearer one');
  expect(setUp(anonymous, [], tokens).authorizer.header()).toBeNull();
  now = 81_000;
  expect(first.authorizer.header()).toBeNull();
  expect(await first.authorizer.answer(bearer, 'Bearer one', signal)).toBe(true);
  expect(first.authorizer.header()).toBe('Bearer two');
});
