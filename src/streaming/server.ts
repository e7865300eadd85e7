import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { Fault } from '../lib/fault.ts';
import { STATUS_CODES } from '../lib/node-http.ts';
import type { AttachWish, ExecWish, PortForwardWish, Sessions } from '../lib/streams.ts';
import { quiet } from './half-streams.ts';
import type { Listener } from './listener.ts';
import { openListener } from './listener.ts';
import { isChannelProtocol, negotiate } from './negotiate.ts';
import { serveSession } from './serve-session.ts';
import type { SessionScope, Wish } from './session.ts';
import { Tokens } from './tokens.ts';
import { refusePorts } from './websocket-port-forward.ts';

/** How long sessions may take to end when the server stops, and then once more without their clients. */
const STOP_MS = 5_000;

/** How long the kernel is quiet before it asks whether a client's machine is still there. */
const KEEP_ALIVE_MS = 30_000;

/** Hands out URLs that are good for one session each, and serves those sessions. */
export interface StreamingServer extends AsyncDisposable {
  /** Throws `resource_exhausted` while too many URLs wait for their client, as do the other two. */
  execUrl(wish: ExecWish): string;
  attachUrl(wish: AttachWish): string;
  portForwardUrl(wish: PortForwardWish): string;
}

export interface StreamingOptions {
  readonly config: Config['streaming'];
  readonly sessions: Sessions;
  readonly log: Logger;
}

/** Throws `unavailable` if the address cannot be bound. */
export async function startStreaming(options: StreamingOptions): Promise<StreamingServer> {
  return new HttpStreaming(options, await openListener(options.config));
}

class HttpStreaming implements StreamingServer {
  readonly #tokens = new Tokens<Wish>();
  readonly #http: Server;
  readonly #baseUrl: string;
  readonly #log: Logger;
  readonly #scope: SessionScope;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #sockets = new Set<Duplex>();

  constructor({ config, sessions, log }: StreamingOptions, { http, baseUrl }: Listener) {
    this.#http = http;
    this.#baseUrl = baseUrl;
    this.#log = log;
    this.#scope = { sessions, log, idleMs: config.idleTimeoutMs, stopping: this.#stopping.signal };
    http.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
    http.on('request', (request, response) => {
      const { status, message } = this.#find(request).refusal ?? { status: 400, message: 'upgrade required' };
      response.writeHead(status, { 'Content-Type': 'text/plain', Connection: 'close' }).end(`${message}\n`);
    });
    http.on('error', (err) => log.error({ err }, 'streaming server failed'));
  }

  execUrl(wish: ExecWish): string {
    return this.#url({ kind: 'exec', wish });
  }

  attachUrl(wish: AttachWish): string {
    return this.#url({ kind: 'attach', wish });
  }

  portForwardUrl(wish: PortForwardWish): string {
    return this.#url({ kind: 'portforward', wish });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#stopping.abort(new Fault('unavailable', 'cristal is stopping'));
    this.#http.closeAllConnections(); // those without a session
    if (!(await this.#ended())) {
      for (const socket of this.#sockets) socket.destroy();
      if (!(await this.#ended())) this.#log.error({ sessions: this.#running.size }, 'sessions did not end');
    }
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #url(wish: Wish): string {
    return `${this.#baseUrl}/${wish.kind}/${this.#tokens.insert(wish)}`;
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    quiet(socket);
    const found = this.#find(request);
    if (found.refusal) {
      refuse(socket, found.refusal);
      return;
    }
    const { wish, token, transport, protocol } = found;
    this.#tokens.remove(token);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    (socket as Socket).setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS).setTimeout(0);
    const session = serveSession(this.#scope, wish, { request, socket, head, transport, protocol })
      .catch((err: unknown) => {
        this.#log.warn({ err, kind: wish.kind }, 'session failed');
        socket.destroy();
      })
      .finally(() => this.#running.delete(session));
    this.#running.add(session);
  }

  /** The wish behind a request and how to serve it, or why it is refused. Uses nothing up. */
  #find({ url = '', headers }: IncomingMessage): Found | { refusal: Refusal } {
    const [, kind, token = ''] = /^\/(exec|attach|portforward)\/([\w-]+)(?:\?|$)/.exec(url) ?? [];
    const wish = this.#tokens.peek(token);
    if (wish === null || wish.kind !== kind || this.#stopping.signal.aborted) {
      return { refusal: { status: 404, message: 'no such session', accepted: [] } };
    }
    const negotiated = negotiate(kind, headers);
    if (negotiated.transport === null) return { refusal: negotiated };
    if (wish.kind === 'portforward' && isChannelProtocol(negotiated)) {
      const message = refusePorts(wish.wish.ports);
      if (message !== null) return { refusal: { status: 400, message, accepted: [] } };
    }
    return { refusal: null, wish, token, ...negotiated };
  }

  /** False if some session has not ended after a while. */
  async #ended(): Promise<boolean> {
    const late = new AbortController();
    const timedOut = sleep(STOP_MS, false, { signal: late.signal }).catch(() => false);
    const ended = await Promise.race([Promise.allSettled(this.#running).then(() => true), timedOut]);
    late.abort();
    return ended;
  }
}

interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly accepted: readonly string[];
}

interface Found {
  readonly refusal: null;
  readonly wish: Wish;
  readonly token: string;
  readonly transport: 'spdy' | 'websocket';
  readonly protocol: string;
}

/** Kubernetes' clients show the body, and choose again from the accepted versions. */
function refuse(socket: Duplex, { status, message, accepted }: Refusal): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(message) + 1}`,
    ...accepted.map((version) => `X-Accepted-Stream-Protocol-Versions: ${version}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${message}\n`, () => socket.destroy());
}
