import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Descriptor } from '../image/descriptor.ts';
import { isDigest } from '../image/descriptor.ts';
import type { Endpoint } from '../image/hosts-toml.ts';
import { ACCEPTED_MANIFESTS, isManifestType, MAX_MANIFEST_BYTES, parseManifest } from '../image/manifest.ts';
import type { Reference } from '../image/reference.ts';
import { objectOf, repositoryOf } from '../image/reference.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Attempt } from './attempts.ts';
import { AttemptFailed, exhausted } from './attempts.ts';
import type { Authorizer } from './authorizer.ts';
import type { HttpClient, HttpReply } from './http.ts';
import { discard, networkReason, readBody } from './http.ts';

/** One way to reach a repository, with what it needs to be let in. */
export interface Route {
  endpoint: Endpoint;
  authorizer: Authorizer;
}

/** Reads one repository, through the first of its routes that can serve each request. */
export interface Repository {
  /** What the reference points at now. */
  resolve(signal: AbortSignal): Promise<Descriptor>;
  /** A manifest or index; its bytes have the descriptor's digest. */
  manifest(descriptor: Descriptor, signal: AbortSignal): Promise<Buffer>;
  /** A blob from `offset` on. `start` is where the body really begins: the server may ignore the wish. */
  blob(
    digest: string,
    offset: number,
    signal: AbortSignal,
  ): Promise<{ host: string; start: number; body: Readable }>;
}

/** Without an authorization, with one, and with one that another request has renewed meanwhile. */
const MAX_TRIES = 3;

interface Asking {
  method: 'GET' | 'HEAD';
  path: string;
  accept: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

export function createRepository(http: HttpClient, routes: Route[], reference: Reference): Repository {
  const across = async <T>(
    what: string,
    capability: 'pull' | 'resolve',
    ask: (route: Route) => Promise<T>,
  ): Promise<T> => {
    const attempts: Attempt[] = [];
    for (const route of routes.filter(({ endpoint }) => endpoint[capability])) {
      try {
        return await ask(route);
      } catch (error) {
        if (!(error instanceof AttemptFailed)) throw error;
        attempts.push(error.attempt);
      }
    }
    throw exhausted(`${what} of ${repositoryOf(reference)}`, attempts);
  };
  const ask = (route: Route, asking: Asking) => askRoute(http, route, { ...asking, reference });

  return {
    resolve: (signal) =>
      across(
        `resolve ${objectOf(reference)}`,
        reference.digest === null ? 'resolve' : 'pull',
        async (route) => {
          const asking = { path: `manifests/${objectOf(reference)}`, accept: ACCEPTED_MANIFESTS, signal };
          const head = await describe(() => ask(route, { ...asking, method: 'HEAD' }));
          const descriptor = head ?? (await measure(route, () => ask(route, { ...asking, method: 'GET' })));
          if (reference.digest !== null && descriptor.digest !== reference.digest) {
            throw failed(route, null, `answered ${descriptor.digest} when asked for ${reference.digest}`);
          }
          return descriptor;
        },
      ),

    manifest: ({ digest }, signal) =>
      across(`manifest ${digest}`, 'pull', async (route) => {
        const path = `manifests/${digest}`;
        const reply = await ask(route, { method: 'GET', path, accept: ACCEPTED_MANIFESTS, signal });
        const data = await bodyOf(route, reply);
        if (digestOf(data, digest) !== digest) throw failed(route, null, 'sent other bytes than asked for');
        return data;
      }),

    blob: (digest, offset, signal) =>
      across(`blob ${digest}`, 'pull', async (route) => {
        const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
        const asking = { path: `blobs/${digest}`, accept: '*/*', headers, signal };
        const { status, body } = await ask(route, { ...asking, method: 'GET' });
        return { host: hostOf(route), start: status === 206 ? offset : 0, body };
      }),
  };
}

/** One request over one route, authorised when the registry asks for it. Only a success comes back. */
async function askRoute(
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
      if (!again) throw failed(route, reply.status, `answered ${reply.status}`);
    }
  } catch (error) {
    throw attemptFrom(route, error, signal);
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

/** Reads a descriptor off the headers alone; null where the server does not tell enough. */
async function describe(ask: () => Promise<HttpReply>): Promise<Descriptor | null> {
  try {
    const reply = await ask();
    await discard(reply);
    const { headers } = reply;
    const digest = String(headers['docker-content-digest'] ?? '');
    const size = Number(headers['content-length'] ?? 0);
    const mediaType = mediaTypeOf(headers['content-type']);
    // Only a type that names a manifest can be stored as the type of what is behind the name.
    const isTold = isDigest(digest) && size > 0 && isManifestType(mediaType);
    return isTold ? { mediaType, digest, size, annotations: {} } : null;
  } catch (error) {
    // Some servers do not know HEAD; all know GET. Those that know what they refuse have been asked.
    const status = error instanceof AttemptFailed ? error.attempt.status : null;
    if (status !== null && status !== 404 && status !== 401 && status !== 403 && status !== 429) return null;
    throw error;
  }
}

/** Downloads what the reference points at to learn what it is. */
async function measure(route: Route, ask: () => Promise<HttpReply>): Promise<Descriptor> {
  const reply = await ask();
  const data = await bodyOf(route, reply);
  const { mediaType } = parseManifest(data, mediaTypeOf(reply.headers['content-type']));
  return { mediaType, digest: digestOf(data, 'sha256:'), size: data.length, annotations: {} };
}

async function bodyOf(route: Route, reply: HttpReply): Promise<Buffer> {
  try {
    return await readBody(reply, MAX_MANIFEST_BYTES);
  } catch (error) {
    throw failed(route, null, networkReason(error), error);
  }
}

function digestOf(data: Buffer, like: string): string {
  const algorithm = like.slice(0, like.indexOf(':'));
  return `${algorithm}:${createHash(algorithm).update(data).digest('hex')}`;
}

function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').replace(/;.*$/, '').trim();
}

/** Whatever went wrong on a route; only our own giving up is not the route's fault. */
function attemptFrom(route: Route, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AttemptFailed) return error;
  if (!(error instanceof Fault)) return failed(route, null, networkReason(error), error);
  return failed(route, error.code === 'permission_denied' ? 401 : null, messageOf(error), error);
}

function failed(route: Route, status: number | null, reason: string, cause?: unknown): AttemptFailed {
  return new AttemptFailed({ host: hostOf(route), status, reason }, { cause });
}

function hostOf({ endpoint }: Route): string {
  return new URL(endpoint.url).host;
}
