import type { Endpoint } from '../image/hosts-toml.ts';
import type { Reference } from '../image/reference.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Attempt } from './attempts.ts';
import { AttemptFailed, retryAfter } from './attempts.ts';
import type { Authorizer } from './authorizer.ts';
import type { HttpClient, HttpReply } from './http.ts';
import { discard, isCutConnection, networkReason } from './http.ts';

/** One way to reach a repository, with what it needs to be let in. */
export interface Route {
  endpoint: Endpoint;
  authorizer: Authorizer;
}

/** One request for something of a repository. */
export interface Asking {
  method: 'GET' | 'HEAD';
  path: string;
  accept: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/** Without an authorization, with one, and with one that another request has renewed meanwhile. */
const MAX_TRIES = 3;

/** One request over one route, authorised when the registry asks for it. Only a success comes back. */
export async function askRoute(
  http: HttpClient,
  route: Route,
  asking: Asking & { reference: Reference },
): Promise<HttpReply> {
  const { endpoint, authorizer } = route;
  const { method, signal } = asking;
  try {
    for (let tries = 1; ; tries++) {
      const authorization = authorizer.header();
      const headers = headersFor(route, asking, authorization);
      const reply = await http.send({ method, url: urlFor(route, asking), headers, signal }, endpoint);
      if (reply.status >= 200 && reply.status < 300) return reply;

      await discard(reply);
      const challenges = [reply.headers['www-authenticate'] ?? []].flat();
      const again =
        reply.status === 401 &&
        tries < MAX_TRIES &&
        (await authorizer.answer(challenges, authorization, signal));
      if (!again) throw refused(hostOf(route), reply);
    }
  } catch (error) {
    throw attemptFrom(hostOf(route), error, signal);
  }
}

function urlFor({ endpoint }: Route, { reference, path }: { reference: Reference; path: string }): string {
  const namespace = endpoint.mirror ? `?ns=${encodeURIComponent(reference.host)}` : '';
  return `${endpoint.url}/${reference.path}/${path}${namespace}`;
}

function headersFor(
  { endpoint }: Route,
  { accept, headers }: Asking,
  authorization: string | null,
): Record<string, string | string[]> {
  return {
    'user-agent': 'cristal',
    ...endpoint.headers,
    ...headers,
    accept,
    ...(authorization === null ? {} : { authorization }),
  };
}

/** A blob from anywhere, without showing who we are. */
export async function askUrl(http: HttpClient, url: string, { headers, signal }: Asking): Promise<HttpReply> {
  const host = new URL(url).host;
  const request = { method: 'GET' as const, url, headers: { 'user-agent': 'cristal', ...headers }, signal };
  try {
    const reply = await http.send(request, { ca: [], client: [], skipVerify: false });
    if (reply.status >= 200 && reply.status < 300) return reply;
    await discard(reply);
    throw refused(host, reply);
  } catch (error) {
    throw attemptFrom(host, error, signal);
  }
}

/** Host, with port, by which a route is known to the user. */
export function hostOf({ endpoint }: Route): string {
  return new URL(endpoint.url).host;
}

/** Whatever went wrong at a host; only our own giving up is not the host's fault. */
function attemptFrom(host: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AttemptFailed) return error;
  if (error instanceof Fault) return failed(host, { reason: messageOf(error), cause: error });
  // A kept connection may be closed by its server at the moment when we send.
  const retryAfterMs = isCutConnection(error) ? 0 : null;
  return failed(host, { reason: networkReason(error), cause: error, retryAfterMs });
}

function refused(host: string, { status, headers }: HttpReply): AttemptFailed {
  const retryAfterMs = retryAfter(status, headers['retry-after'], Date.now());
  return failed(host, { status, reason: `answered ${status}`, retryAfterMs });
}

/** The failure of one host. */
export function failed(
  host: string,
  { cause, ...rest }: Partial<Attempt> & { reason: string; cause?: unknown },
): AttemptFailed {
  return new AttemptFailed({ host, status: null, retryAfterMs: null, ...rest }, { cause });
}
