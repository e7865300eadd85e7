import type { Server as NetServer, Socket } from 'node:net';
import { createServer } from 'node:net';
import { codeOf, messageOf } from '../lib/fault.ts';
import { REASON } from './frames.ts';
import { encodeHeaders } from './hpack.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Stream, StreamEvents } from './http2-stream.ts';
import { frameOf, MessageParser } from './messages.ts';
import type { Status } from './status.ts';
import { statusHeaders } from './status.ts';
import { parseTimeout } from './timeout.ts';

/** A call as its handler sees it. */
export interface ServerCall {
  /** What was asked, not decoded. */
  readonly request: Buffer;
  readonly headers: ReadonlyMap<string, string>;
  /** Fires when the client went away (AbortError) or its deadline passed (TimeoutError), and never after the end. */
  readonly signal: AbortSignal;
  /** Sends one encoded message. Resolves when there is room for the next, and rejects when the signal fires. */
  send(message: Uint8Array): Promise<void> | null;
  /** Sends the last message, if any, and the status. Nothing follows. */
  end(status: Status, message?: Uint8Array): void;
}

/** Serves the calls of one path, such as `/runtime.v1.RuntimeService/Status`. Must not throw. */
export type ServeCall = (call: ServerCall) => void;

/** A server that listens. Closing is in two steps, so that calls can come to an end in between. */
export interface GrpcServer {
  /** Takes no more calls, and resolves when those that run have ended. */
  drain(): Promise<void>;
  /** Breaks off what still runs. */
  destroy(): void;
}

const OK: Status = { code: 'ok', details: '' };

/** What begins every answer. */
const ANSWER = encodeHeaders([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);

/** What ends every call that went well. */
const ANSWERED = encodeHeaders(statusHeaders(OK));

/** Serves gRPC on a unix socket, which it makes. Rejects when it cannot be bound. */
export async function serveGrpc(path: string, methods: ReadonlyMap<string, ServeCall>): Promise<GrpcServer> {
  const connections = new Set<Http2Connection>();
  const accept = (socket: Socket): void => {
    const connection = new Http2Connection('server', socket, {
      onStream: (stream) => serveStream(stream, methods),
    });
    connections.add(connection);
    // Not when it has failed: what it says last may still wait for a peer that does not read.
    socket.once('close', () => connections.delete(connection));
    socket.on('data', (chunk: Buffer) => {
      connection.receive(chunk);
      // Who does not read what we answer is not asked for more: most frames have an answer, of any size in all.
      if (socket.writableNeedDrain) socket.pause();
    });
    socket.on('drain', () => socket.resume());
  };
  const server = createServer({ noDelay: false }, accept);
  await bind(server, path);
  return {
    async drain() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      for (const connection of connections) connection.drain();
      await promise;
    },
    destroy() {
      server.close();
      for (const connection of connections) connection.destroy(new Error('the server ends'));
    },
  };
}

function bind(server: NetServer, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.on('error', reject);
  // What is wrong with one client later, such as no descriptor left for it, is not the server's end.
  server.listen(path, resolve);
  return promise;
}

/** The events of a new stream: gathers its one request, then has it served. */
function serveStream(stream: Stream, methods: ReadonlyMap<string, ServeCall>): StreamEvents {
  const parser = new MessageParser();
  const requests: Buffer[] = [];
  let headers: ReadonlyMap<string, string> = new Map();
  let call: OpenCall | null = null;
  let refused = false;

  const refuse = (status: Status): void => {
    refused = true;
    stream.sendHeaders(
      encodeHeaders([[':status', '200'], ['content-type', 'application/grpc'], ...statusHeaders(status)]),
      true,
    );
    // Nobody reads what else the client has to say.
    stream.reset(REASON.none, new Error(status.details));
  };
  const start = (): void => {
    const path = headers.get(':path') ?? '';
    const serve = methods.get(path);
    const [request, another] = requests;
    if (serve === undefined) return refuse({ code: 'unimplemented', details: `there is no method ${path}` });
    if (request === undefined || another !== undefined)
      return refuse({
        code: 'internal',
        details: `${requests.length} requests in a call of ${path}, which takes one`,
      });
    call = new OpenCall(stream, request, headers);
    serve(call);
  };

  return {
    headers(received, ended) {
      if (headers.size > 0) {
        // Trailers mean nothing in a request, but may end it.
        if (ended && !refused) start();
        return;
      }
      headers = received;
      if (
        headers.get(':method') !== 'POST' ||
        !(headers.get('content-type') ?? '').startsWith('application/grpc')
      ) {
        refused = true;
        stream.sendHeaders(encodeHeaders([[':status', '415']]), true);
        stream.reset(REASON.none, new Error('not a call of gRPC'));
        return;
      }
      if (ended) start();
    },
    data(bytes, ended) {
      if (refused) return;
      try {
        parser.push(bytes, (message) => void requests.push(message));
      } catch (error) {
        return refuse({ code: codeOf(error), details: messageOf(error) });
      }
      stream.consumed(bytes.length);
      if (ended || requests.length > 1) start();
    },
    drained: () => call?.drained(),
    closed: () => call?.closed(),
  };
}

class OpenCall implements ServerCall {
  readonly request: Buffer;
  readonly headers: ReadonlyMap<string, string>;
  readonly #stream: Stream;
  readonly #abort = new AbortController();
  readonly #deadline: NodeJS.Timeout | null;
  #hasBegun = false;
  #isOver = false;
  #room: PromiseWithResolvers<void> | null = null;

  constructor(stream: Stream, request: Buffer, headers: ReadonlyMap<string, string>) {
    this.#stream = stream;
    this.request = request;
    this.headers = headers;
    const ms = parseTimeout(headers.get('grpc-timeout'));
    this.#deadline = ms === null ? null : setTimeout(() => this.#expire(), Math.min(ms, MAX_TIMER_MS));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  send(message: Uint8Array): Promise<void> | null {
    if (this.#isOver) return Promise.reject(reasonOf(this.#abort.signal));
    this.#begin();
    if (this.#stream.send(frameOf(message))) return null;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  end(status: Status, message?: Uint8Array): void {
    if (this.#isOver) return;
    const { trailers, parts } = lastWords(status, message);
    this.#isOver = true;
    this.#clear();
    this.#begin();
    if (parts !== null) this.#stream.send(parts);
    this.#stream.end(trailers);
  }

  drained(): void {
    this.#room?.resolve();
    this.#room = null;
  }

  /** The stream is gone; before our end this means that the client is. */
  closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#clear();
    this.#fire(new DOMException('the client has given up the call', 'AbortError'));
  }

  #expire(): void {
    if (this.#isOver) return;
    const reason = new DOMException('the deadline of the call has passed', 'TimeoutError');
    this.end({ code: 'deadline_exceeded', details: reason.message });
    this.#fire(reason);
  }

  #fire(reason: DOMException): void {
    this.#abort.abort(reason);
    this.#room?.reject(reason);
    this.#room = null;
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#stream.sendHeaders(ANSWER);
  }

  #clear(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
  }
}

/** The longest time that a timer of Node takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A message that is too large becomes the status that says so. */
function lastWords(status: Status, message?: Uint8Array): { trailers: Buffer; parts: Uint8Array[] | null } {
  try {
    const parts = message === undefined ? null : frameOf(message);
    return { parts, trailers: status.code === 'ok' ? ANSWERED : encodeHeaders(statusHeaders(status)) };
  } catch (error) {
    const failed: Status = { code: codeOf(error), details: messageOf(error) };
    return { parts: null, trailers: encodeHeaders(statusHeaders(failed)) };
  }
}

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error('the call has ended');
}
