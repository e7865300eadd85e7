import type { Challenge } from '../image/challenge.ts';
import { parseChallenges } from '../image/challenge.ts';
import type { Credentials } from '../image/credentials.ts';
import { Fault } from '../lib/fault.ts';
import type { HttpClient, HttpReply, TlsOptions } from './http.ts';
import { discard, readBody } from './http.ts';

/** Proves to one endpoint that we may read one repository. */
export interface Authorizer {
  /** The Authorization header to send, once there is one. */
  header(): string | null;
  /**
   * Answers the challenges of a 401 to a request that was sent with `sent`. False if there is nothing
   * (else) to answer with. Throws `permission_denied` or `unavailable` where a token server refuses.
   */
  answer(headers: readonly string[], sent: string | null, signal: AbortSignal): Promise<boolean>;
}

interface Options {
  http: HttpClient;
  tls: TlsOptions;
  credentials: Credentials;
  /** `repository:library/busybox:pull`. */
  scope: string;
}

const MAX_TOKEN_BYTES = 1024 * 1024;
const CLIENT_ID = 'cristal';

export function createAuthorizer(options: Options): Authorizer {
  const { credentials } = options;
  let header = credentials.kind === 'registry' ? `Bearer ${credentials.token}` : null;
  let running: Promise<string | null> | null = null;

  return {
    header: () => header,
    async answer(headers, sent, signal) {
      // Layers come in parallel, and all meet an expired token at once: one of them renews it.
      if (header !== sent) return true;
      if (credentials.kind === 'registry') return false;
      running ??= newHeader(options, parseChallenges(headers), signal).finally(() => {
        running = null;
      });
      const next = await running;
      if (next === null || (next === sent && next.startsWith('Basic'))) return false;
      header = next;
      return true;
    },
  };
}

async function newHeader(
  options: Options,
  challenges: Challenge[],
  signal: AbortSignal,
): Promise<string | null> {
  const { credentials } = options;
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return `Bearer ${await fetchToken(options, bearer.parameters, signal)}`;
  const acceptsBasic = challenges.some(({ scheme }) => scheme === 'basic');
  return acceptsBasic && credentials.kind === 'basic' ? basic(credentials) : null;
}

/** Asks the token server that the registry named (Docker's token and OAuth2 specifications). */
async function fetchToken(
  { http, tls, credentials, scope }: Options,
  parameters: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  const { realm = '', service = '' } = parameters;
  if (!/^https?:\/\//.test(realm) || !URL.canParse(realm)) {
    throw new Fault('unavailable', 'the registry names no usable token server');
  }
  const url = new URL(realm);
  const wanted = { service, scope: parameters['scope'] ?? scope };
  const fields = Object.entries(wanted).filter(([, value]) => value !== '');
  let reply: HttpReply;
  if (credentials.kind === 'identity') {
    const grant = { grant_type: 'refresh_token', refresh_token: credentials.token, client_id: CLIENT_ID };
    const body = new URLSearchParams([...fields, ...Object.entries(grant)]).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    reply = await http.send({ method: 'POST', url: url.href, headers, body, signal }, tls);
  } else {
    for (const [name, value] of fields) url.searchParams.append(name, value);
    const headers: Record<string, string> =
      credentials.kind === 'basic' ? { authorization: basic(credentials) } : {};
    reply = await http.send({ method: 'GET', url: url.href, headers, signal }, tls);
  }
  return await tokenFrom(reply, url.host);
}

async function tokenFrom(reply: HttpReply, host: string): Promise<string> {
  if (reply.status !== 200) {
    await discard(reply);
    const code = reply.status === 429 || reply.status >= 500 ? 'unavailable' : 'permission_denied';
    throw new Fault(code, `token server ${host} answered ${reply.status}`);
  }
  const text = (await readBody(reply, MAX_TOKEN_BYTES)).toString();
  const token = tokenIn(text);
  // What was answered may hold a secret, so it is not quoted.
  if (token === null) throw new Fault('unavailable', `token server ${host} sent no token`);
  return token;
}

function tokenIn(text: string): string | null {
  try {
    const answer = JSON.parse(text) as { token?: unknown; access_token?: unknown } | null;
    const token = answer?.token ?? answer?.access_token;
    return typeof token === 'string' && token !== '' ? token : null;
  } catch {
    return null; // the caller reports it, without the text
  }
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
