import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Login } from './image-command-line.ts';
import { authFrom } from './login.ts';

const read = (login: Login | null, input: string) =>
  authFrom(login, {
    input: Readable.from([Buffer.from(input)]),
    ask: (question) => Promise.resolve(question),
  });

test.each<[Login | null, string, object | null]>([
  [null, 'x', null],
  [{ username: 'u', password: 'p' }, '', { username: 'u', password: 'p' }],
  [{ username: 'u', password: '' }, '', { username: 'u', password: '' }],
  [{ username: 'u', password: null }, '', { username: 'u', password: 'Password of u: ' }],
  ['stdin', 'u:p:w\n', { username: 'u', password: 'p:w' }],
  ['stdin', 'u:\r\n', { username: 'u', password: '' }],
])('%j with %j on standard input', async (login, input, expected) => {
  const auth = await read(login, input);
  if (expected === null) return expect(auth).toBeNull();
  const empty = { auth: '', serverAddress: '', identityToken: '', registryToken: '' };
  expect(auth).toEqual({ ...empty, ...expected });
});

test.each(['', 'secret', ':secret\n', `u:${'secret'.repeat(20_000)}`])(
  'what is no login is not quoted',
  async (input) => {
    await expect(read('stdin', input)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(read('stdin', input)).rejects.not.toThrow('secret');
  },
);
