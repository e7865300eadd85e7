import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { listDir, readBytes } from '../host/files.ts';
import type { Endpoint } from '../image/hosts-toml.ts';
import type { Environment } from '../image/proxy.ts';
import { proxyFor } from '../image/proxy.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { OneRequest } from '../lib/http-request.ts';
import { sendHttp } from '../lib/http-request.ts';
import { HttpAgent } from '../lib/node-http.ts';

export type HttpRequest = Omit<OneRequest, 'agent'>;

/** Somebody has to read, `discard` or destroy the body, or its connection is not used again. */
export interface HttpReply {
  status: number;
  headers: IncomingHttpHeaders;
  body: IncomingMessage;
}

/** How to speak TLS with a host. */
export type TlsOptions = Pick<Endpoint, 'ca' | 'client' | 'skipVerify'>;

/** Sends requests over kept connections, a pool for each set of certificates. */
export interface HttpClient extends AsyncDisposable {
  /** Follows redirects. Anything that came from the server, errors too, is a reply. */
  send(request: HttpRequest, tls: TlsOptions): Promise<HttpReply>;
}

/** An idle connection is kept so long, and a proxy may take so long to reach a host. */
const IDLE_MS = 15_000;
const MAX_REDIRECTS = 10;
const DISCARD_BYTES = 64 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Takes the proxies from `env`. */
export function createHttpClient(env: Environment = process.env): HttpClient {
  const agents = new Map<string, Agent>();

  const agentFor = async (url: string, tls: TlsOptions): Promise<Agent> => {
    const proxy = proxyFor(url, env);
    // Read each time and kept by content, so that a renewed certificate is used without a restart.
    const material = await readMaterial(tls);
    const { protocol } = new URL(url);
    const key = createHash('sha256')
      .update(JSON.stringify([protocol, material, proxy]))
      .digest('hex');
    const agent =
      agents.get(key) ?? (protocol === 'https:' ? newHttpsAgent(material, proxy) : newHttpAgent(proxy));
    agents.set(key, agent);
    return agent;
  };

  return {
    async send(request, tls) {
      let current = request;
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        // Our certificate is for the registry, not for where it sends us.
        const foreign = new URL(current.url).origin !== new URL(request.url).origin;
        const agent = await agentFor(current.url, foreign ? { ...tls, client: [] } : tls);
        const body = await sendHttp({ ...current, agent });
        const reply = { status: body.statusCode ?? 0, headers: body.headers, body };
        const location = reply.headers.location;
        if (!REDIRECTS.has(reply.status) || location === undefined) return reply;
        await discard(reply);
        current = redirected(current, location);
      }
      throw new Fault('unavailable', `over ${MAX_REDIRECTS} redirects`);
    },
    async [Symbol.asyncDispose]() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** The next request after a redirect. What was meant for one host alone is not shown to another. */
export function redirected(request: HttpRequest, location: string): HttpRequest {
  if (!URL.canParse(location, request.url)) throw new Fault('unavailable', 'redirect to what is no URL');
  const next = new URL(location, request.url);
  if (next.protocol !== 'https:' && next.protocol !== 'http:') {
    throw new Fault('unavailable', `redirect to ${next.protocol}`);
  }
  if (next.origin === new URL(request.url).origin) return { ...request, url: next.href };
  if (request.body !== undefined) {
    throw new Fault('unavailable', `redirect to ${next.host} of what is for one host alone`);
  }
  const harmless = new Set(['accept', 'range', 'user-agent']);
  const headers = Object.entries(request.headers).filter(([name]) => harmless.has(name.toLowerCase()));
  return { ...request, url: next.href, headers: Object.fromEntries(headers) };
}

/** Why a request brought no reply, in words fit for the user. */
export function networkReason(error: unknown): string {
  if (error instanceof AggregateError) {
    return [...new Set(error.errors.map(messageOf))].join(', ');
  }
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error);
}

/** Whether the connection was there, and ended before the answer did. */
export function isCutConnection(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** Reads the rest of a small body, which keeps the connection; a large one is cut off with it. */
export async function discard({ body }: HttpReply): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let size = 0;
  body.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > DISCARD_BYTES) body.destroy();
  });
  if (body.closed) return;
  body.once('close', resolve);
  await over;
}

/** All of a reply's body. Throws `resource_exhausted` if it has more than `limit` bytes. */
export async function readBody(reply: HttpReply, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reply.body) {
    const data = chunk as Buffer;
    size += data.length;
    if (size > limit) throw new Fault('resource_exhausted', `the answer has over ${limit} bytes`);
    chunks.push(data);
  }
  return Buffer.concat(chunks);
}

interface Material {
  ca: string[];
  cert: string[];
  key: string[];
  skipVerify: boolean;
}

async function readMaterial(tls: TlsOptions): Promise<Material> {
  return {
    ca: (await Promise.all(tls.ca.map(readAuthorities))).flat(),
    cert: await Promise.all(tls.client.map(({ cert }) => readPem(cert))),
    key: await Promise.all(tls.client.map(({ key }) => readPem(key))),
    skipVerify: tls.skipVerify,
  };
}

/** Of a file, or of all certificate files in a directory. */
async function readAuthorities(path: string): Promise<string[]> {
  try {
    return [await readPem(path)];
  } catch (error) {
    const cause = error instanceof Fault ? error.cause : error;
    if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'EISDIR') throw error;
    const names = (await listDir(path)).filter((name) => /\.(?:crt|pem|cer)$/.test(name)).toSorted();
    return await Promise.all(names.map((name) => readPem(join(path, name))));
  }
}

async function readPem(path: string): Promise<string> {
  const bytes = await readBytes(path);
  if (bytes === null) throw new Fault('failed_precondition', `certificate file ${path} does not exist`);
  return bytes.toString();
}

type Agent = HttpAgent | HttpsAgent;

function newHttpAgent(proxy: string | null): HttpAgent {
  return new HttpAgent({
    keepAlive: true,
    timeout: IDLE_MS,
    ...(proxy === null ? {} : { proxyEnv: { HTTP_PROXY: proxy } }),
  });
}

function newHttpsAgent({ ca, cert, key, skipVerify }: Material, proxy: string | null): HttpsAgent {
  return new HttpsAgent({
    keepAlive: true,
    timeout: IDLE_MS,
    rejectUnauthorized: !skipVerify,
    ...(ca.length === 0 ? {} : { ca: [...getCACertificates('default'), ...ca] }),
    ...(cert.length === 0 ? {} : { cert, key }),
    ...(proxy === null ? {} : { proxyEnv: { HTTPS_PROXY: proxy } }),
  });
}
