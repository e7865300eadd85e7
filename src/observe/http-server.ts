import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { FileIdentity } from '../host/socket-file.ts';
import { publishSocket, refuseIfTaken, removeFile, removeIfSame } from '../host/socket-file.ts';
import type { FaultCode } from '../lib/fault.ts';
import { codeOf, during, Fault, messageOf } from '../lib/fault.ts';
import { createServer } from '../lib/node-http.ts';

export interface Answer {
  readonly type: string;
  readonly body: string;
}

/** Answers a GET. What it throws becomes the status: not_found 404, invalid_argument 400, else 500. */
export type Answerer = (url: URL) => Answer | Promise<Answer>;

/** A path of a unix socket, for its owner alone, or an address of this machine. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

export interface HttpOptions {
  readonly place: Place;
  /** The setting that chose the place, for messages. */
  readonly setting: string;
  readonly answer: Answerer;
  readonly log: Logger;
}

/** For the owner, who is root. */
const SOCKET_MODE = 0o600;

/** Plenty for an operator and his tools. */
const MAX_CONNECTIONS = 32;

/** Who has not asked by then is let go, in milliseconds. */
const REQUEST_MS = 10_000;

const STATUS: Partial<Record<FaultCode, number>> = {
  not_found: 404,
  invalid_argument: 400,
  unimplemented: 405,
};

/** Serves GET alone. Throws `failed_precondition` if the place is taken. */
export async function serveHttp({ place, setting, answer, log }: HttpOptions): Promise<AsyncDisposable> {
  const options = {
    requestTimeout: REQUEST_MS,
    headersTimeout: REQUEST_MS,
    connectionsCheckingInterval: REQUEST_MS,
  };
  const server = createServer(options, (request, response) => void reply(request, response, { answer, log }));
  server.maxConnections = MAX_CONNECTIONS;
  const shown = 'path' in place ? place.path : `${place.host}:${place.port}`;
  let socket: FileIdentity | null = null;
  try {
    if ('path' in place) socket = await bindPath(server, place.path, setting);
    else await once(server.listen(place), 'listening');
  } catch (error) {
    server.close();
    throw during(`listen on ${shown} (\`${setting}\`)`, error);
  }
  return {
    async [Symbol.asyncDispose]() {
      if ('path' in place) await removeIfSame(place.path, socket);
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The name appears with its mode set, in one step, as that of the CRI socket does. */
async function bindPath(server: Server, path: string, setting: string): Promise<FileIdentity | null> {
  await refuseIfTaken(path, setting);
  const bound = `${path}.${process.pid}`;
  await removeFile(bound);
  await once(server.listen(bound), 'listening');
  return await publishSocket(bound, path, SOCKET_MODE);
}

async function reply(
  request: IncomingMessage,
  response: ServerResponse,
  { answer, log }: Pick<HttpOptions, 'answer' | 'log'>,
): Promise<void> {
  try {
    const { type, body } = await answer(urlOf(request));
    response.writeHead(200, { 'content-type': type }).end(body);
  } catch (err) {
    const status = STATUS[codeOf(err)] ?? 500;
    if (status === 500) log.error({ err, url: request.url }, 'request could not be answered');
    const body = JSON.stringify({ error: messageOf(err), code: codeOf(err) });
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${body}\n`);
  }
}

function urlOf({ method, url = '' }: IncomingMessage): URL {
  if (method !== 'GET') throw new Fault('unimplemented', `${method}: only GET is served here`);
  if (!url.startsWith('/') || !URL.canParse(url, 'http://localhost')) {
    throw new Fault('invalid_argument', `${url}: not a path`);
  }
  return new URL(url, 'http://localhost');
}
