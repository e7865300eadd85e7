import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { request as requestHttps } from 'node:https';
import { Fault } from './fault.ts';
import type { HttpAgent } from './node-http.ts';
import { requestHttp } from './node-http.ts';

export interface OneRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly headers: Record<string, string | string[]>;
  readonly body?: string;
  /** Breaks the request off, and the answer too, with the signal's reason as the error. */
  readonly signal: AbortSignal;
  /** Of the URL's protocol. */
  readonly agent: HttpAgent | HttpsAgent;
}

/** How long a connection may take, and the beginning of an answer, in milliseconds. */
const CONNECT_MS = 15_000;
const HEADERS_MS = 60_000;

/**
 * Sends one request and resolves with the beginning of its answer, whose body somebody has to read or
 * destroy. Follows nothing, and rejects with Node's own error when there is no answer.
 */
export async function sendHttp(wish: OneRequest): Promise<IncomingMessage> {
  const { method, url, headers, body, signal, agent } = wish;
  signal.throwIfAborted();
  const send = new URL(url).protocol === 'https:' ? requestHttps : requestHttp;
  const request = send(url, { method, headers, agent });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  let response: IncomingMessage | null = null;
  // Told here too: a request that has no socket yet, such as behind a proxy's CONNECT, tells nothing.
  const giveUp = (why: unknown): void => {
    response?.destroy(why as Error);
    request.destroy(why as Error);
    if (response === null) finish();
    reject(why);
  };
  const abort = (): void => giveUp(signal.reason);
  const late = setTimeout(
    () => giveUp(new Fault('deadline_exceeded', `no answer within ${HEADERS_MS / 1_000} s`)),
    HEADERS_MS,
  );
  const finish = (): void => {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
  };
  signal.addEventListener('abort', abort, { once: true });
  request.once('close', finish);
  // Its error after the answer has begun is that of the answer as well.
  request.on('error', reject);
  request.once('response', (answer) => {
    clearTimeout(late);
    response = answer;
    // A body that nobody listens to yet must not end the process when its connection breaks.
    answer.on('error', () => {});
    resolve(answer);
  });
  limitConnecting(request);
  request.end(body);
  return await promise;
}

/** A host that does not answer at all is given up before one that thinks about its answer. */
function limitConnecting(request: ClientRequest): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const late = setTimeout(
      () => request.destroy(new Fault('unavailable', `no connection within ${CONNECT_MS / 1_000} s`)),
      CONNECT_MS,
    );
    const done = (): void => clearTimeout(late);
    socket.once('connect', done).once('close', done);
  });
}
