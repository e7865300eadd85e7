import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { status } from '@grpc/grpc-js';
import type { Fault } from '../lib/fault.ts';
import { messageOf } from '../lib/fault.ts';
import type { CallOptions, Endpoint, Method } from './calls.ts';
import { abortFault, beginStream, metadataFor, onAbort, statusFault } from './calls.ts';
import type { BytesField } from './grpc-frames.ts';
import { frameOf, messagesIn } from './grpc-frames.ts';

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

/** What one call may be asked; a deadline is nothing for what takes as long as its bytes do. */
export type DuplexOptions = Omit<CallOptions, 'timeoutMs'>;

/** Finds a containerd that hangs. grpc-go hangs up on a client that pings more often than every five minutes. */
export const PING = { everyMs: 310_000, timeoutMs: 20_000 };

/**
 * Many requests, many responses, on a connection of their own. It speaks gRPC by Node's HTTP/2 itself,
 * because grpc-js copies each request twice, into memory that is garbage a moment later: that was most of
 * the processor time of a pull (docs/performance.md).
 */
export function callDuplex<Req, Res>(
  to: Endpoint,
  method: Method<Req, Res>,
  options: DuplexOptions,
): Duplex<Req, Res> {
  const { signal } = options;
  if (signal?.aborted) throw abortFault(signal);
  const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(to.address) });
  const stream = session.request({
    ':method': 'POST',
    ':path': method.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...metadataFor(to, options).toHttp2Headers(),
  });
  const ended = beginStream(method.path);
  const cancel = () => session.destroy();
  const unlink = onAbort(signal, cancel);
  session.once('close', unlink);
  keepAlive(session);
  const outcome = outcomeOf(to, session, stream);
  // Who leaves without having heard of a failure was content with the responses.
  session.once('close', () => {
    const left = signal?.aborted ? abortFault(signal) : null;
    ended(outcome.isKnown() ? outcome.failure() : left);
  });

  const read = async function* (): AsyncGenerator<Res, void, undefined> {
    try {
      for await (const message of messagesIn(stream)) yield method.responseDeserialize(message);
    } catch (error) {
      outcome.keep(error);
    } finally {
      cancel();
    }
    const fault = outcome.failure();
    if (fault !== null) throw signal?.aborted ? abortFault(signal) : fault;
  };
  return {
    send(request, tail) {
      if (!stream.writable) return;
      stream.cork();
      for (const part of frameOf(method.requestSerialize(request), tail)) stream.write(part);
      stream.uncork();
    },
    end: () => void stream.end(),
    responses: read(),
    cancel,
  };
}

/** Gathers why a call does not succeed. `failure` says it when the call is over, null if it did. */
function outcomeOf(
  to: Endpoint,
  session: ClientHttp2Session,
  stream: ClientHttp2Stream,
): { keep(error: unknown): void; isKnown(): boolean; failure(): Fault | null } {
  let cause: unknown;
  let answered: IncomingHttpHeaders = {};
  const keep = (error: unknown) => {
    cause ??= error;
  };
  session.on('error', keep);
  stream.on('error', keep);
  const look = (headers: IncomingHttpHeaders) => {
    if (headers['grpc-status'] !== undefined) answered = headers;
  };
  stream.on('response', look); // of a call without any answer it has the status too
  stream.on('trailers', look);

  const failure = (): Fault | null => {
    const answer = answered['grpc-status'];
    if (answer === undefined) {
      const details = cause === undefined ? 'the connection was closed' : messageOf(cause);
      return statusFault(to, { code: status.UNAVAILABLE, details }, { cause });
    }
    if (answer === String(status.OK)) return null;
    const details = decodeURIComponent(String(answered['grpc-message'] ?? ''));
    return statusFault(to, { code: Number(answer), details });
  };
  const isKnown = () => cause !== undefined || answered['grpc-status'] !== undefined;
  return { keep, isKnown, failure };
}

function keepAlive(session: ClientHttp2Session): void {
  const timer = setInterval(() => {
    const late = setTimeout(() => session.destroy(new Error('no answer to a ping')), PING.timeoutMs);
    session.ping(() => clearTimeout(late));
  }, PING.everyMs);
  session.once('close', () => clearInterval(timer));
}
