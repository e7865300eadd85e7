import { Duplex } from 'node:stream';
import { FrameParser } from '../frame-parser.ts';
import type { Frame } from '../frames.ts';
import {
  encodeDataHeader,
  encodeGoAway,
  encodePing,
  encodeRstStream,
  encodeSynStream,
  encodeWindowUpdate,
  resetStatus,
} from '../frames.ts';
import type { Headers } from '../header-block.ts';
import { HeaderDecoder, HeaderEncoder } from '../header-block.ts';

/**
 * A small SPDY/3.1 client for tests. As Kubernetes' client does, it neither waits for windows nor
 * sends WINDOW_UPDATE, and stops reading the whole socket while one of its streams is not read.
 * With `sendsUpdates` it returns the windows of what it has read, and so makes the server keep them.
 */
export interface SpdyClient {
  /** Resolves with the server's reply. Rejects when the stream is reset first, or the connection ends. */
  openStream(headers: Headers): Promise<ClientStream>;
  /** Resolves when the echo is here. */
  ping(): Promise<void>;
  goaway(): void;
  /** Writes anything, such as broken frames. */
  send(bytes: Buffer): void;
  /** Every frame that came, data left out. */
  readonly frames: Exclude<Frame, { type: 'data' }>[];
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;
  /** Drops the socket, as a client does that is killed. */
  destroy(): void;
}

export interface ClientStream {
  readonly id: number;
  /** end() sends FIN, destroy() sends RST_STREAM. A reset by the server is an error here. */
  readonly duplex: Duplex;
  /** Of the reply. */
  readonly headers: Headers;
}

interface OpenStream {
  readonly id: number;
  readonly duplex: Duplex;
  readonly reply: PromiseWithResolvers<ClientStream>;
  full: boolean;
}

/** Speaks SPDY over a connected socket. `head` is what was read together with the upgrade response. */
export function connectSpdy(
  socket: Duplex,
  options: { head?: Buffer; sendsUpdates?: boolean } = {},
): SpdyClient {
  const parser = new FrameParser();
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const streams = new Map<number, OpenStream>();
  const pings = new Map<number, () => void>();
  const frames: SpdyClient['frames'] = [];
  const closed = Promise.withResolvers<void>();
  let nextStreamId = 1;
  let nextPingId = 1;

  const onData = (frame: Extract<Frame, { type: 'data' }>): void => {
    const stream = streams.get(frame.streamId);
    if (!stream) return;
    if (frame.data.length > 0 && !stream.duplex.push(frame.data)) {
      stream.full = true;
      socket.pause();
    }
    if (options.sendsUpdates && frame.data.length > 0) {
      socket.write(encodeWindowUpdate(frame.streamId, frame.data.length));
      socket.write(encodeWindowUpdate(0, frame.data.length));
    }
    if (frame.fin) stream.duplex.push(null);
  };

  const onControl = (frame: SpdyClient['frames'][number]): void => {
    frames.push(frame);
    switch (frame.type) {
      case 'syn-reply': {
        const stream = streams.get(frame.streamId);
        const headers = decoder.decode(frame.block) ?? {};
        stream?.reply.resolve({ id: frame.streamId, duplex: stream.duplex, headers });
        if (frame.fin) stream?.duplex.push(null);
        break;
      }
      case 'rst-stream':
        drop(frame.streamId, new Error(`reset with status ${frame.status}`));
        break;
      case 'ping':
        if (frame.id % 2 === 0) socket.write(encodePing(frame.id));
        else pings.get(frame.id)?.();
    }
  };

  const drop = (id: number, reason: Error): void => {
    const stream = streams.get(id);
    streams.delete(id);
    stream?.reply.reject(reason);
    stream?.duplex.destroy(reason);
  };

  const onRead = (stream: OpenStream): void => {
    stream.full = false;
    if (![...streams.values()].some(({ full }) => full)) socket.resume();
  };

  socket.on('data', (chunk: Buffer) => {
    for (const frame of parser.push(chunk)) {
      if (frame.type === 'data') onData(frame);
      else onControl(frame);
    }
  });
  socket.on('error', () => {}); // "close" follows, and tells the streams
  socket.on('end', () => socket.end());
  socket.on('close', () => {
    for (const id of streams.keys()) drop(id, new Error('the connection was closed'));
    closed.resolve();
  });
  if (options.head && options.head.length > 0) socket.unshift(options.head);

  return {
    frames,
    closed: closed.promise,
    openStream: (headers) => {
      const id = nextStreamId;
      nextStreamId += 2;
      const duplex = clientDuplex(socket, id, {
        onRead: () => onRead(stream),
        onGone: () => {
          stream.full = false;
          streams.delete(id);
          onRead(stream);
        },
      });
      const stream: OpenStream = { id, duplex, reply: Promise.withResolvers(), full: false };
      streams.set(id, stream);
      socket.write(encodeSynStream({ streamId: id, block: encoder.encode(headers) }));
      return stream.reply.promise;
    },
    ping: () => {
      const id = nextPingId;
      nextPingId += 2;
      const { promise, resolve } = Promise.withResolvers<void>();
      pings.set(id, resolve);
      socket.write(encodePing(id));
      return promise;
    },
    goaway: () => void socket.write(encodeGoAway(0, 0)),
    send: (bytes) => void socket.write(bytes),
    destroy: () => void socket.destroy(),
  };
}

function clientDuplex(socket: Duplex, id: number, hooks: { onRead(): void; onGone(): void }): Duplex {
  const duplex: Duplex = new Duplex({
    allowHalfOpen: true,
    read: () => hooks.onRead(),
    write: (chunk: Buffer, _encoding, callback) => {
      socket.write(encodeDataHeader(id, chunk.length, false));
      socket.write(chunk, callback);
    },
    final: (callback) => {
      socket.write(encodeDataHeader(id, 0, true), callback);
    },
    destroy: (error, callback) => {
      const ended = duplex.readableEnded && duplex.writableFinished;
      if (!error && !ended && socket.writable) socket.write(encodeRstStream(id, resetStatus.cancel));
      hooks.onGone();
      callback(error);
    },
  });
  duplex.on('error', () => {}); // who cares listens too; the others must not end the process
  return duplex;
}
