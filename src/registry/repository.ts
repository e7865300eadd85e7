import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import type { Descriptor } from '../image/descriptor.ts';
import { ACCEPTED_MANIFESTS } from '../image/manifest.ts';
import type { Reference } from '../image/reference.ts';
import { formatReference, objectOf, repositoryOf } from '../image/reference.ts';
import { span } from '../lib/trace.ts';
import type { Asking, Route } from './ask.ts';
import { askRoute, askUrl, failed, hostOf } from './ask.ts';
import type { Attempt } from './attempts.ts';
import { AttemptFailed, exhausted, pauseBefore } from './attempts.ts';
import type { HttpClient, HttpReply } from './http.ts';
import { bodyOf, describe, download } from './manifest-reply.ts';
import { pause } from './pause.ts';

/** Reads one repository, through the first of its routes that can serve each request. */
export interface Repository {
  /**
   * What the reference points at now. A host may count each download of a manifest against a limit, but not
   * a look: so it is looked at first where it is likely to be `known`, and else downloaded at once.
   */
  resolve(how: { known: boolean }, signal: AbortSignal): Promise<Resolved>;
  /** A manifest or index; its bytes have the descriptor's digest. */
  manifest(descriptor: Descriptor, signal: AbortSignal): Promise<Buffer>;
  /** A blob from the offset on. `start` is where the body really begins: the server may ignore the wish. */
  blob(want: BlobWant, signal: AbortSignal): Promise<{ host: string; start: number; body: Readable }>;
  /** Hosts that may have blobs. */
  readonly hosts: readonly string[];
}

/** What a reference points at, with its bytes if they have been downloaded. */
export interface Resolved {
  target: Descriptor;
  data: Buffer | null;
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

export function createRepository(
  { http, log }: { http: HttpClient; log: Logger },
  routes: Route[],
  reference: Reference,
): Repository {
  const told = new Set<string>();
  // A mirror that is never of use would be known to nobody.
  const left = ({ host, reason }: Attempt) => {
    const words = `${host}: ${reason}`;
    if (told.has(words)) return;
    told.add(words);
    log.info({ image: formatReference(reference), host, reason }, 'registry host left for the next one');
  };
  const tryEach = <T>(what: string, sources: readonly Source<T>[], signal: AbortSignal): Promise<T> =>
    firstOf(`${what} of ${repositoryOf(reference)}`, sources, { signal, left });
  const across = <T>(
    what: string,
    { capability, signal }: { capability: 'pull' | 'resolve'; signal: AbortSignal },
    ask: (route: Route) => Promise<T>,
  ): Promise<T> => {
    const able = routes.filter(({ endpoint }) => endpoint[capability]);
    const sources = able.map((route) => ({ host: hostOf(route), ask: () => ask(route) }));
    return tryEach(what, sources, signal);
  };
  const ask = (route: Route, asking: Asking) => askRoute(http, route, { ...asking, reference });
  const pullRoutes = routes.filter(({ endpoint }) => endpoint.pull);

  return {
    resolve: ({ known }, signal) =>
      across(
        `resolve ${objectOf(reference)}`,
        { capability: reference.digest === null ? 'resolve' : 'pull', signal },
        async (route) => {
          const asking = { path: `manifests/${objectOf(reference)}`, accept: ACCEPTED_MANIFESTS, signal };
          // A host that only resolves is not asked for what it points at, if that can be helped.
          const looksFirst = known || !route.endpoint.pull;
          const seen = looksFirst ? await describe(() => ask(route, { ...asking, method: 'HEAD' })) : null;
          const resolved =
            seen === null
              ? await download(
                  route,
                  await ask(route, { ...asking, method: 'GET' }),
                  reference.digest ?? 'sha256:',
                )
              : { target: seen, data: null };
          const { digest } = resolved.target;
          if (reference.digest !== null && digest !== reference.digest) {
            const reason = `answered ${digest} when asked for ${reference.digest}`;
            throw failed(hostOf(route), { reason });
          }
          return resolved;
        },
      ),

    manifest: ({ digest }, signal) =>
      across(`manifest ${digest}`, { capability: 'pull', signal }, async (route) => {
        const path = `manifests/${digest}`;
        const reply = await ask(route, { method: 'GET', path, accept: ACCEPTED_MANIFESTS, signal });
        return await bodyOf(route, reply, digest);
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
          if (why !== undefined) throw failed(source.host, { reason: why });
          const reply = await source.ask();
          const start = startOf(reply, offset);
          if (start <= offset) return { host: source.host, start, body: reply.body };
          reply.body.destroy();
          throw failed(source.host, { reason: `answered bytes from ${start} when asked for ${offset}` });
        },
      }));
      return tryEach(`blob ${digest}`, sources, signal);
    },
  };
}

/** Where in the blob a body begins: a server may ignore the range that was asked for, or send another. */
function startOf({ status, headers }: HttpReply, asked: number): number {
  if (status !== 206) return 0;
  const told = /^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1];
  return told === undefined ? asked : Number(told);
}

/** Asks one after the other. If all fail, those that may answer a little later are asked again. */
async function firstOf<T>(
  what: string,
  sources: readonly Source<T>[],
  { signal, left }: { signal: AbortSignal; left: (attempt: Attempt) => void },
): Promise<T> {
  const failures = new Map<Source<T>, Attempt>();
  for (let round = 0; ; round++) {
    for (const source of sources) {
      if (round > 0 && failures.get(source)?.retryAfterMs === null) continue;
      try {
        return await span('registry', what.split(' ', 1)[0] ?? '', (own) => {
          own?.set('host', source.host);
          return source.ask();
        });
      } catch (error) {
        if (!(error instanceof AttemptFailed)) throw error;
        failures.set(source, error.attempt);
        if (source !== sources.at(-1)) left(error.attempt);
      }
    }
    const attempts = [...failures.values()];
    const ms = pauseBefore(round, attempts, Math.random());
    if (ms === null) throw exhausted(what, attempts);
    await pause(ms, signal);
  }
}

function isWebUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
