import type { GrpcCall } from '../grpc/client.ts';
import { beginCall } from '../grpc/client.ts';
import type { Header } from '../grpc/hpack.ts';
import { encodeHeaders } from '../grpc/hpack.ts';
import type { Http2Connection } from '../grpc/http2-connection.ts';
import type { BytesField } from '../grpc/messages.ts';
import { frameOf } from '../grpc/messages.ts';
import type { Status } from '../grpc/status.ts';
import { formatTimeout } from '../grpc/timeout.ts';
import { codeOf, Fault, messageOf } from '../lib/fault.ts';
import type { Span } from '../lib/trace.ts';
import { currentSpan, span } from '../lib/trace.ts';

/** What may be asked of any single call. */
export interface CallOptions {
  /** Cancels the call, at containerd too. */
  signal?: AbortSignal | undefined;
  /** The deadline, which containerd is told. Without it a call may take as long as it likes. */
  timeoutMs?: number;
  /** Id of the lease that holds what the call makes. */
  lease?: string;
}

/** What a call that both sides write to may be asked; a deadline is nothing for what takes as long as its bytes do. */
export type DuplexOptions = Omit<CallOptions, 'timeoutMs'>;

/** The way of one method, as proto-loader describes it. */
export interface Method<Req, Res> {
  path: string;
  requestSerialize: (request: Req) => Buffer;
  responseDeserialize: (bytes: Buffer) => Res;
}

/** Where calls go. */
export interface Endpoint {
  readonly address: string;
  readonly namespace: string;
  /** The connection for all, made anew when the last one broke. */
  shared(): Http2Connection;
  /** A connection for one call at a time, to be given back. */
  own(): { connection: Http2Connection; giveBack(): void };
}

/** A call that both sides write to. */
export interface Duplex<Req, Res> {
  /**
   * Sends a request, its last field apart: the bytes of that are sent from where they are, so they must
   * stay as they are until containerd has answered. A failure is told by the responses.
   */
  send(request: Req, tail?: BytesField): void;
  /** No more requests; containerd may still answer. */
  end(): void;
  /** To be iterated once. Leaving the loop early cancels the call. */
  readonly responses: AsyncIterable<Res>;
  cancel(): void;
}

/** One request, one response. */
export function callUnary<Req, Res>(
  to: Endpoint,
  message: { method: Method<Req, Res>; request: Req },
  options: CallOptions,
): Promise<Res> {
  return span('containerd', shortName(message.method.path), () => send(to, message, options));
}

/** `/containerd.services.tasks.v1.Tasks/Create` as `Tasks.Create`. */
function shortName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1).replace('/', '.');
}

async function send<Req, Res>(
  to: Endpoint,
  { method, request }: { method: Method<Req, Res>; request: Req },
  options: CallOptions,
): Promise<Res> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let answer: Buffer | null = null;
  const frame = frameOf(method.requestSerialize(request));
  const call = begin({ to, connection: to.shared(), path: method.path }, options, {
    message(bytes, release) {
      answer = bytes;
      release();
    },
    ended(failure) {
      if (failure !== null) reject(failure);
      else if (answer === null)
        reject(new Fault('internal', `${shortName(method.path)} answered without a message`));
      else resolve(answer);
    },
  });
  call.send(frame);
  call.end();
  return method.responseDeserialize(await promise);
}

/** One request, many responses. The call starts here, not at the first read. */
export function callServerStream<Req, Res>(
  to: Endpoint,
  { method, request }: { method: Method<Req, Res>; request: Req },
  options: CallOptions,
): AsyncIterable<Res> {
  const frame = frameOf(method.requestSerialize(request));
  const responses = new Responses();
  const call = begin({ to, connection: to.shared(), path: method.path }, options, responses);
  responses.begin(method.path);
  call.send(frame);
  call.end();
  return responses.read(method, call);
}

/**
 * Many requests, many responses, on a connection of their own: what is written in bulk keeps nobody else
 * waiting, here and in containerd, which reads each connection by itself.
 */
export function callDuplex<Req, Res>(
  to: Endpoint,
  method: Method<Req, Res>,
  options: DuplexOptions,
): Duplex<Req, Res> {
  if (options.signal?.aborted) throw abortFault(options.signal);
  const own = to.own();
  const responses = new Responses();
  const call = begin({ to, connection: own.connection, path: method.path }, options, {
    message: (bytes, release) => responses.message(bytes, release),
    ended(failure) {
      own.giveBack();
      responses.ended(failure);
    },
  });
  responses.begin(method.path);
  return {
    send: (request, tail) => call.send(frameOf(method.requestSerialize(request), tail)),
    end: () => call.end(),
    responses: responses.read(method, call),
    cancel: () => call.cancel(leftFault()),
  };
}

/** The responses of a call, from when they come until they are read. */
class Responses implements Answers {
  readonly #waiting: { bytes: Buffer; release: () => void }[] = [];
  #stage: Span | null = null;
  #end: { failure: Fault | null } | null = null;
  #news = Promise.withResolvers<void>();

  /** Begins a stage that lasts as long as the call. */
  begin(path: string): void {
    this.#stage = currentSpan()?.begin('containerd', shortName(path)) ?? null;
  }

  message(bytes: Buffer, release: () => void): void {
    this.#waiting.push({ bytes, release });
    this.#news.resolve();
  }

  ended(failure: Fault | null): void {
    this.#end = { failure };
    if (failure === null) this.#stage?.finish();
    else this.#stage?.fail(failure);
    this.#news.resolve();
  }

  /** Iterates over the responses once, then throws if the call has failed. Leaving early cancels the call. */
  async *read<Res>(method: Method<never, Res>, call: GrpcCall): AsyncGenerator<Res, void, undefined> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next !== undefined) {
          next.release();
          yield method.responseDeserialize(next.bytes);
        } else if (this.#end !== null) {
          break;
        } else {
          await this.#news.promise;
          this.#news = Promise.withResolvers();
        }
      }
    } finally {
      call.cancel(leftFault());
    }
    if (this.#end.failure !== null) throw this.#end.failure;
  }
}

/** What a caller learns of its call. Nothing follows `ended`. */
interface Answers {
  message(bytes: Buffer, release: () => void): void;
  /** Null for well. */
  ended(failure: Fault | null): void;
}

/** Begins a call, which its signal and its deadline end too. Throws if the signal has fired already. */
function begin(
  { to, connection, path }: { to: Endpoint; connection: Http2Connection; path: string },
  { signal, timeoutMs, lease }: CallOptions,
  answers: Answers,
): GrpcCall {
  if (signal?.aborted) throw abortFault(signal);
  const finish = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  };
  const call = beginCall(connection, headOf({ namespace: to.namespace, path }, { timeoutMs, lease }), {
    message: (bytes, release) => answers.message(bytes, release),
    ended(status, cause) {
      finish();
      answers.ended(faultOf(to, status, cause));
    },
  });
  // After what may throw: what waits for a call that never began would not be taken away.
  const giveUp = (): void => call.cancel(abortFault(signal as AbortSignal));
  const expire = (): void =>
    call.cancel(new Fault('deadline_exceeded', `${shortName(path)} has not answered within ${timeoutMs} ms`));
  const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
  signal?.addEventListener('abort', giveUp, { once: true });
  return call;
}

/** The block of headers that calls of a method begin with, by namespace and path. */
const heads = new Map<string, Buffer>();

function headOf(
  { namespace, path }: { namespace: string; path: string },
  { timeoutMs, lease }: { timeoutMs: number | undefined; lease: string | undefined },
): Buffer {
  const key = `${namespace}${path}`;
  const head = heads.get(key) ?? encodeHeaders(headersFor(namespace, path));
  if (!heads.has(key)) heads.set(key, head);
  const more: Header[] = [];
  if (timeoutMs !== undefined) more.push(['grpc-timeout', formatTimeout(timeoutMs)]);
  if (lease !== undefined) more.push(['containerd-lease', lease]);
  return more.length === 0 ? head : Buffer.concat([head, encodeHeaders(more)]);
}

function headersFor(namespace: string, path: string): Header[] {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['containerd-namespace', namespace],
  ];
}

/** An aborted signal as a Fault. The reason decides on the code, `cancelled` unless it says otherwise. */
function abortFault({ reason }: AbortSignal): Fault {
  const code = codeOf(reason);
  return new Fault(
    code === 'internal' ? 'cancelled' : code,
    `call to containerd given up: ${messageOf(reason)}`,
    { cause: reason },
  );
}

/** Of a call whose caller has what it wants. */
function leftFault(): Fault {
  return new Fault('cancelled', 'call to containerd given up: nobody reads any more');
}

/** The one way in for errors: the status becomes the code, containerd's words the message. */
function faultOf(to: Endpoint, { code, details }: Status, cause: Error | undefined): Fault | null {
  if (code === 'ok') return null;
  if (cause instanceof Fault) return cause;
  const message = code === 'unavailable' ? `containerd at ${to.address}: ${details}` : details;
  return new Fault(code, message, cause === undefined ? {} : { cause });
}
