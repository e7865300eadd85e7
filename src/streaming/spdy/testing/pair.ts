import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { duplexPair } from 'node:stream';
import pino from 'pino';
import type { SpdyConnection, SpdyOptions, SpdyStream } from '../connection.ts';
import { serveSpdy } from '../connection.ts';
import type { SpdyClient } from './client.ts';
import { connectSpdy } from './client.ts';

/** A server and a client that talk to each other. */
export interface Pair {
  readonly client: SpdyClient;
  readonly server: SpdyConnection;
  /** What the server has been given, in order. */
  readonly streams: SpdyStream[];
  /** Of the server. */
  readonly socket: Duplex;
}

interface PairOptions extends Partial<SpdyOptions> {
  /** Of the client. */
  readonly sendsUpdates?: boolean;
}

/** Over two sockets in memory, which hold nothing that nobody reads. */
export function memoryPair(options: PairOptions = {}): Pair {
  const [near, far] = duplexPair();
  return join(near, far, options);
}

/** Over TCP on the loopback. */
export async function tcpPair(options: PairOptions = {}): Promise<Pair> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const far = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(listener, 'connection')) as [Duplex];
  listener.close();
  return join(near, far, options);
}

function join(socket: Duplex, far: Duplex, options: PairOptions): Pair {
  const streams: SpdyStream[] = [];
  const server = serveSpdy(socket, Buffer.alloc(0), {
    log: pino({ level: 'silent' }),
    ...options,
    onStream: (stream) => {
      streams.push(stream);
      if (options.onStream) options.onStream(stream);
      else stream.reply();
    },
  });
  const client = connectSpdy(far, { sendsUpdates: options.sendsUpdates ?? false });
  return { client, server, streams, socket };
}

/** An `onStream` that sends back what comes. */
export function echo(stream: SpdyStream): void {
  stream.reply({ streamid: String(stream.id) });
  stream.duplex.pipe(stream.duplex);
}

/** Reads to the end. Unlike an async iterator, it leaves the other direction alone. */
export async function readAll(duplex: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  duplex.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(duplex, 'end');
  return Buffer.concat(chunks);
}
