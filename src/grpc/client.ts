import { connect as connectSocket } from 'node:net';
import type { Fault } from '../lib/fault.ts';
import { codeOf, messageOf } from '../lib/fault.ts';
import { REASON } from './frames.ts';
import { Http2Connection, StreamReset } from './http2-connection.ts';
import type { Stream, StreamEvents } from './http2-stream.ts';
import { MessageParser } from './messages.ts';
import type { Status } from './status.ts';
import { statusIn } from './status.ts';

/** One read from the socket: a page of memory that is used again, so reading leaves no garbage. */
const READ_BYTES = 64 * 1024;

/** A containerd that hangs is found by pings. grpc-go hangs up on who pings more often than every five minutes. */
const PING = { everyMs: 310_000, timeoutMs: 20_000 };

/** What is told of a client's connection, besides its streams. */
export interface ClientEvents {
  connected(): void;
  /** Null when the peer has just left. */
  closed(why: Error | null): void;
}

/**
 * Connects to a unix socket. The connection may be used at once: what is sent waits for the socket, and
 * calls fail if there is nobody.
 */
export function connectTo(path: string, events: ClientEvents): Http2Connection {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const socket = connectSocket({
    path,
    onread: {
      buffer,
      callback: (bytes) => {
        connection.receive(buffer.subarray(0, bytes));
        return true;
      },
    },
  });
  const connection = new Http2Connection('client', socket, {
    onClose(why) {
      clearInterval(timer);
      events.closed(why);
    },
  });
  socket.once('connect', () => events.connected());
  const timer = setInterval(() => keepAlive(connection), PING.everyMs);
  timer.unref();
  return connection;
}

function keepAlive(connection: Http2Connection): void {
  if (connection.streamCount === 0) return;
  const late = setTimeout(() => connection.destroy(new Error('no answer to a ping')), PING.timeoutMs).unref();
  connection.ping(() => clearTimeout(late));
}

/** What a call tells. Nothing follows `ended`. */
export interface CallEvents {
  /** Its bytes are its own. `release` it when the peer may send as many more. */
  message(bytes: Buffer, release: () => void): void;
  ended(status: Status, cause?: Error): void;
}

/** One call on a connection. */
export interface GrpcCall {
  /** The parts are sent from where they are. */
  send(message: readonly Uint8Array[]): void;
  /** No more messages from here. */
  end(): void;
  /** Gives the call up, which ends with this fault. */
  cancel(fault: Fault): void;
}

/** Begins a call; `head` is the block of its headers. Throws `unavailable` on a connection that is not usable. */
export function beginCall(connection: Http2Connection, head: Buffer, events: CallEvents): GrpcCall {
  const parser = new MessageParser();
  let over = false;
  const finish = (status: Status, cause?: Error): void => {
    if (over) return;
    over = true;
    events.ended(status, cause);
  };
  const hear = (headers: Map<string, string>): void => {
    const status = statusIn(headers);
    const http = headers.get(':status');
    if (status !== null) finish(status);
    else if (http !== undefined && http !== '200')
      finish({ code: 'unknown', details: `HTTP status ${http}` });
    // Who has answered in full wants to hear no more of us.
    if (over && !stream.localEnded) stream.reset(REASON.none, new Error('the call has been answered'));
  };
  const streamEvents: StreamEvents = {
    headers: hear,
    data(bytes) {
      const { length } = bytes;
      let left = 0;
      let delivered = false;
      const release = (): void => {
        left -= 1;
        if (left === 0 && delivered) stream.consumed(length);
      };
      try {
        parser.push(bytes, (message) => {
          if (over) return;
          left += 1;
          events.message(message, release);
        });
      } catch (error) {
        finish({ code: codeOf(error), details: messageOf(error) });
        stream.reset(REASON.cancel, new Error(messageOf(error)));
      }
      delivered = true;
      if (left === 0) stream.consumed(length);
    },
    drained: () => {}, // who sends much waits for answers in between
    closed: (why) => finish(statusOf(why), why ?? undefined),
  };
  const stream: Stream = connection.open(streamEvents);
  stream.sendHeaders(head);
  return {
    send: (message) => void stream.send(message),
    end: () => stream.end(),
    cancel(fault) {
      finish({ code: fault.code, details: fault.message }, fault);
      stream.reset(REASON.cancel, fault);
    },
  };
}

/** Of a stream that ended without saying a status. */
function statusOf(why: Error | null): Status {
  if (why instanceof StreamReset) {
    const code =
      why.reason === REASON.cancel ? 'cancelled' : why.reason === REASON.refused ? 'unavailable' : 'internal';
    return { code, details: why.message };
  }
  if (why === null) return { code: 'internal', details: 'the call ended without a status' };
  return { code: 'unavailable', details: messageOf(why) };
}
