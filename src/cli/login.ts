import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.ts';
import { Fault } from '../lib/fault.ts';
import type { Login } from './image-command-line.ts';
import { parseLogin } from './image-command-line.ts';

/** Where passwords come from that are not on the command line. */
export interface Secrets {
  /** All of standard input. */
  input: AsyncIterable<Uint8Array>;
  /** Asks the user, and shows nothing of the answer. */
  ask: (question: string) => Promise<string>;
}

/** More than this is no password. Bytes. */
const MAX_INPUT = 64 * 1024;

/** The login in the form that pulls take. Throws `invalid_argument`, without quoting anything, if it is none. */
export async function authFrom(
  login: Login | null,
  { input, ask }: Secrets,
): Promise<AuthConfig__Output | null> {
  if (login === null) return null;
  const { username, password } = login === 'stdin' ? parseLogin(await readSecret(input)) : login;
  if (login === 'stdin' && (username === '' || password === null)) {
    throw new Fault('invalid_argument', 'standard input has no USER:PASSWORD');
  }
  return {
    username,
    password: password ?? (await ask(`Password of ${username}: `)),
    auth: '',
    serverAddress: '',
    identityToken: '',
    registryToken: '',
  };
}

async function readSecret(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    size += chunk.length;
    if (size > MAX_INPUT) throw new Fault('invalid_argument', 'standard input is too long for a password');
    chunks.push(chunk);
  }
  // echo and editors end what they write with one.
  return Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, '');
}
