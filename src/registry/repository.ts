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
import { AttemptFailed, exhausted, pauseBefore, retryAfter } from './attempts.ts';
import type { Authorizer } from './authorizer.ts';
import type { HttpClient, HttpReply } from './http.ts';
import { discard, isCutConnection, networkReason, readBody } from './http.ts';
import { pause } from './pause.ts';

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
  /** A blob from the offset on. `start` is where the body really begins: the server may ignore the wish. */
  blob(want: BlobWant, signal: AbortSignal): Promise<{ host: string; start: number; body: Readable }>;
  /** Hosts that may have blobs. */
  readonly hosts: readonly string[];
}

export interface BlobWant {
  digest: string;
  /** Bytes that are not needed. */
  offset: number;
  /** Where else a layer may be had that registries must not distribute. */
  urls: readonly string[];
  /** Hosts that are not to be asked, and why. */
  avoid: ReadonlyMap<string, string>;
}

/** One place that may answer. */
interface Source<T> {
  host: string;
  ask: () => Promise<T>;
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
  const across = <T>(
    what: string,
    { capability, signal }: { capability: 'pull' | 'resolve'; signal: AbortSignal },
    ask: (route: Route) => Promise<T>,
  ): Promise<T> => {
    const able = routes.filter(({ endpoint }) => endpoint[capability]);
    const sources = able.map((route) => ({ host: hostOf(route), ask: () => ask(route) }));
    return firstOf(`${what} of ${repositoryOf(reference)}`, sources, signal);
  };
  const ask = (route: Route, asking: Asking) => askRoute(http, route, { ...asking, reference });
  const pullRoutes = routes.filter(({ endpoint }) => endpoint.pull);

  return {
    resolve: (signal) =>
      across(
        `resolve ${objectOf(reference)}`,
        { capability: reference.digest === null ? 'resolve' : 'pull', signal },
        async (route) => {
          const asking = { path: `manifests/${objectOf(reference)}`, accept: ACCEPTED_MANIFESTS, signal };
          const head = await describe(() => ask(route, { ...asking, method: 'HEAD' }));
          const descriptor = head ?? (await measure(route, () => ask(route, { ...asking, method: 'GET' })));
          if (reference.digest !== null && descriptor.digest !== reference.digest) {
            const reason = `answered ${descriptor.digest} when asked for ${reference.digest}`;
            throw failed(hostOf(route), { reason });
          }
          return descriptor;
        },
      ),

    manifest: ({ digest }, signal) =>
      across(`manifest ${digest}`, { capability: 'pull', signal }, async (route) => {
        const path = `manifests/${digest}`;
        const reply = await ask(route, { method: 'GET', path, accept: ACCEPTED_MANIFESTS, signal });
        const data = await bodyOf(route, reply);
        if (digestOf(data, digest) !== digest) {
          throw failed(hostOf(route), { reason: 'sent other bytes than asked for' });
        }
        return data;
      }),

    hosts: pullRoutes.map(hostOf),

    blob({ digest, offset, urls, avoid }, signal) {
      const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
      const asking: Asking = { method: 'GET', path: `blobs/${digest}`, accept: '*/*', headers, signal };
      const registries = pullRoutes.map((route) => ({
        host: hostOf(route),
        ask: () => ask(route, asking),
      }));
      const elsewhere = urls
        .filter(isWebUrl)
        .map((url) => ({ host: new URL(url).host, ask: () => askUrl(http, url, asking) }));
      const sources = [...registries, ...elsewhere].map((source) => ({
        host: source.host,
        ask: async () => {
          const why = avoid.get(source.host);
          if (why !== undefined) throw avoided(source.host, why);
          const { status, body } = await source.ask();
          return { host: source.host, start: status === 206 ? offset : 0, body };
        },
      }));
      return firstOf(`blob ${digest} of ${repositoryOf(reference)}`, sources, signal);
    },
  };
}

/** Asks one after the other. If all fail, those that may answer a little later are asked again. */
async function firstOf<T>(what: string, sources: readonly Source<T>[], signal: AbortSignal): Promise<T> {
  const failures = new Map<Source<T>, Attempt>();
  for (let round = 0; ; round++) {
    for (const source of sources) {
      if (round > 0 && failures.get(source)?.retryAfterMs === null) continue;
      try {
        return await source.ask();
      } catch (error) {
        if (!(error instanceof AttemptFailed)) throw error;
        failures.set(source, error.attempt);
      }
    }
    const attempts = [...failures.values()];
    const ms = pauseBefore(round, attempts, Math.random());
    if (ms === null) throw exhausted(what, attempts);
    await pause(ms, signal);
  }
}

/** A blob from anywhere, without showing who we are. */
async function askUrl(http: HttpClient, url: string, { headers, signal }: Asking): Promise<HttpReply> {
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

function isWebUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
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
    throw failed(hostOf(route), { reason: networkReason(error), cause: error });
  }
}

function digestOf(data: Buffer, like: string): string {
  const algorithm = like.slice(0, like.indexOf(':'));
  return `${algorithm}:${createHash(algorithm).update(data).digest('hex')}`;
}

function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').replace(/;.*$/, '').trim();
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

function avoided(host: string, reason: string): AttemptFailed {
  return failed(host, { reason });
}

function failed(
  host: string,
  { cause, ...rest }: Partial<Attempt> & { reason: string; cause?: unknown },
): AttemptFailed {
  return new AttemptFailed({ host, status: null, retryAfterMs: null, ...rest }, { cause });
}

function hostOf({ endpoint }: Route): string {
  return new URL(endpoint.url).host;
}
