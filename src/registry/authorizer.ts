import type { Challenge } from '../image/challenge.ts';
import { parseChallenges } from '../image/challenge.ts';
import type { Credentials } from '../image/credentials.ts';
import { fingerprint } from '../image/credentials.ts';
import { Fault } from '../lib/fault.ts';
import { AttemptFailed, retryAfter } from './attempts.ts';
import type { HttpClient, HttpReply, TlsOptions } from './http.ts';
import { discard, readBody } from './http.ts';
import type { Pass, TokenCache } from './token-cache.ts';

/** Proves to one endpoint that we may read one repository. */
export interface Authorizer {
  /** The Authorization header to send, once there is one. */
  header(): string | null;
  /**
   * Answers the challenges of a 401 to a request that was sent with `sent`. False if there is nothing
   * (else) to answer with. Throws `unavailable` or AttemptFailed where a token server does not help.
   */
  answer(headers: readonly string[], sent: string | null, signal: AbortSignal): Promise<boolean>;
}

interface Options {
  http: HttpClient;
  tls: TlsOptions;
  credentials: Credentials;
  /** URL of the endpoint, to whom alone a token is shown. */
  registry: string;
  /** `repository:library/busybox:pull`. */
  scope: string;
  /** Shared by all pulls. */
  tokens: TokenCache;
}

const MAX_TOKEN_BYTES = 1024 * 1024;
const CLIENT_ID = 'cristal';
const TOKEN_SERVER_MS = 60_000;

/** What a token lives if its server does not say, as Docker's specification has it. */
const USUAL_LIFE_S = 60;

/** A token is used for this part of its life, so that it does not die on its way. */
const USED_LIFE = 0.8;

export function createAuthorizer(options: Options): Authorizer {
  const { credentials, tokens, registry, scope } = options;
  const key = JSON.stringify([registry, scope, fingerprint(credentials)]);
  let own = credentials.kind === 'registry' ? `Bearer ${credentials.token}` : null;
  const header = () => own ?? tokens.get(key);

  return {
    header,
    async answer(headers, sent, signal) {
      if (credentials.kind === 'registry') return false;
      // Layers come in parallel, and all meet an expired token at once: one of them renews it.
      const current = header();
      if (current !== null && current !== sent) return true;

      const challenges = parseChallenges(headers);
      const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
      if (bearer !== undefined) {
        own = null;
        await tokens.renew(key, () => fetchToken(options, bearer), signal);
        return true;
      }
      const acceptsBasic = challenges.some(({ scheme }) => scheme === 'basic');
      if (!acceptsBasic || credentials.kind !== 'basic' || sent?.startsWith('Basic')) return false;
      own = basic(credentials);
      return true;
    },
  };
}

/** Asks the token server that the registry named (Docker's token and OAuth2 specifications). */
async function fetchToken(options: Options, { parameters }: Challenge): Promise<Pass> {
  const { http, tls, credentials, scope } = options;
  const { realm = '', service = '' } = parameters;
  if (!/^https?:\/\//.test(realm) || !URL.canParse(realm)) {
    throw new Fault('unavailable', 'the registry names no usable token server');
  }
  const url = new URL(realm);
  const wanted = { service, scope: parameters['scope'] ?? scope };
  const fields = Object.entries(wanted).filter(([, value]) => value !== '');
  // Others may wait for the same token, so it does not end with the pull that asked first.
  const signal = AbortSignal.timeout(TOKEN_SERVER_MS);
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
  return await passFrom(reply, url.host);
}

async function passFrom(reply: HttpReply, host: string): Promise<Pass> {
  const { status, headers } = reply;
  if (status !== 200) {
    await discard(reply);
    const retryAfterMs = retryAfter(status, headers['retry-after'], Date.now());
    const reason = `the token server answered ${status}`;
    const isTrouble = status === 429 || status >= 500;
    throw new AttemptFailed({ host, status: isTrouble ? status : 401, reason, retryAfterMs });
  }
  const text = (await readBody(reply, MAX_TOKEN_BYTES)).toString();
  const pass = passIn(text);
  // What was answered may hold a secret, so it is not quoted.
  if (pass === null) throw new Fault('unavailable', `token server ${host} sent no token`);
  return pass;
}

function passIn(text: string): Pass | null {
  try {
    const answer = JSON.parse(text) as Record<'token' | 'access_token' | 'expires_in', unknown> | null;
    const token = answer?.token ?? answer?.access_token;
    if (typeof token !== 'string' || token === '') return null;
    const told = answer?.expires_in;
    const seconds = typeof told === 'number' && told > 0 ? told : USUAL_LIFE_S;
    return { header: `Bearer ${token}`, lifeMs: seconds * 1000 * USED_LIFE };
  } catch {
    return null; // the caller reports it, without the text
  }
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
