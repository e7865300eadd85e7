import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { Fault, isCode } from '../../lib/fault.ts';
import { FrameParser } from './frame-parser.ts';
import type { Frame } from './frames.ts';
import {
  encodeDataHeader,
  encodeGoAway,
  encodePing,
  encodeRstStream,
  encodeSynReply,
  encodeWindowUpdate,
  goAwayStatus,
  resetStatus,
  SETTING_INITIAL_WINDOW,
} from './frames.ts';
import type { Headers } from './header-block.ts';
import { HeaderDecoder, HeaderEncoder } from './header-block.ts';
import { Outflow } from './outflow.ts';
import type { Flushed } from './output.ts';
import { Output } from './output.ts';
import { Reading } from './reading.ts';
import type { Carrier, SpdyStream } from './stream.ts';
import { ServerStream } from './stream.ts';
import { PeerHabit, ReceiveWindow } from './window.ts';

export type { SpdyStream } from './stream.ts';

export interface SpdyConnection {
  /** Resolves when the socket is closed, for whatever reason. Never rejects. */
  readonly closed: Promise<void>;
  /** Ends every stream after what was written to it, says GOAWAY, and closes. Bounded in time. */
  close(): Promise<void>;
  /** Drops the socket. Every stream fails. */
  destroy(): void;
}

export interface SpdyOptions {
  /** Gets each new stream at once. What it throws resets that stream. */
  onStream(stream: SpdyStream): void;
  readonly log: Logger;
  /** How many streams may be open at once. More are refused, one by one. 1000 by default. */
  readonly maxStreams?: number;
  /** After so many milliseconds without any frame, either way, the connection ends. Never by default. */
  readonly idleMs?: number;
}

/** How long close() waits for the peer to take what was written. */
const FLUSH_MS = 5000;

/** How long the peer may take to read our last words before the socket is dropped. */
const LINGER_MS = 2000;

/**
 * Serves SPDY/3.1 on a socket that was just upgraded; `head` is what was read beyond the upgrade
 * request. A peer that breaks the protocol ends only this connection; nothing is thrown outside.
 */
export function serveSpdy(socket: Duplex, head: Buffer, options: SpdyOptions): SpdyConnection {
  return new Connection(socket, head, options);
}

class Connection implements SpdyConnection, Carrier {
  readonly habit = new PeerHabit();
  readonly outflow = new Outflow();
  readonly #socket: Duplex;
  readonly #options: SpdyOptions;
  readonly #output: Output;
  readonly #reading: Reading;
  readonly #parser = new FrameParser();
  readonly #decoder = new HeaderDecoder();
  readonly #encoder = new HeaderEncoder();
  readonly #streams = new Map<number, ServerStream>();
  readonly #receiveWindow = new ReceiveWindow(this.habit);
  readonly #closed = Promise.withResolvers<void>();
  readonly #idle: NodeJS.Timeout | null;
  #lastStreamId = 0;
  /** open: as usual · draining: no new streams · over: nothing more is sent, what comes is dropped */
  #state: 'open' | 'draining' | 'over' = 'open';

  constructor(socket: Duplex, head: Buffer, options: SpdyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#output = new Output(socket, () => this.#reading.update());
    this.#reading = new Reading(socket, this.#output);
    const { idleMs } = options;
    this.#idle = idleMs ? setTimeout(() => this.#onIdle(idleMs), idleMs) : null;
    if (head.length > 0) socket.unshift(head);
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    socket.on('end', () =>
      this.#finish(null, new Fault('unavailable', 'the SPDY client closed its connection')),
    );
    socket.on('error', (err) => options.log.debug({ err }, 'SPDY connection failed'));
    socket.on('close', () => this.#onClose());
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return await this.closed;
    this.#state = 'draining';
    const flushed = Promise.all([...this.#streams.values()].map(endStream));
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, FLUSH_MS);
    await Promise.race([flushed, late.promise, this.closed]);
    clearTimeout(timer);
    this.#finish(goAwayStatus.ok, new Fault('unavailable', 'the SPDY connection was closed'));
    await this.closed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // What streams need: see Carrier.

  sendData(stream: ServerStream, data: Buffer, flushed?: Flushed): void {
    this.#idle?.refresh();
    this.#output.data(encodeDataHeader(stream.id, data.length, false), data, flushed);
  }

  sendFin(stream: ServerStream, flushed: Flushed): void {
    this.#output.data(encodeDataHeader(stream.id, 0, true), null, flushed);
  }

  sendReply(stream: ServerStream, headers: Headers): void {
    this.#output.answer(encodeSynReply(stream.id, this.#encoder.encode(headers)));
  }

  sendReset({ id }: { id: number }, status: number): void {
    if (this.#state !== 'over') this.#output.answer(encodeRstStream(id, status));
  }

  sendWindowUpdate({ id }: { id: number }, bytes: number): void {
    if (this.#state !== 'over') this.#output.answer(encodeWindowUpdate(id, bytes));
  }

  held(stream: ServerStream, change: number): void {
    this.#reading.account(stream.id, stream.cost, change);
  }

  forget(stream: ServerStream): void {
    this.outflow.forget(stream);
    this.#streams.delete(stream.id);
  }

  #onChunk(chunk: Buffer): void {
    if (this.#state === 'over') return;
    this.#idle?.refresh();
    try {
      for (const frame of this.#parser.push(chunk)) this.#onFrame(frame);
    } catch (err) {
      // Besides the peer's errors these are those of listeners, which Node calls within push().
      const isPeers = isCode(err, 'invalid_argument');
      if (isPeers) this.#options.log.warn({ err }, 'SPDY connection ended for a broken frame');
      else this.#options.log.error({ err }, 'SPDY connection ended by an error of ours');
      const reason = new Fault('unavailable', 'the SPDY connection broke', { cause: err });
      this.#finish(isPeers ? goAwayStatus.protocolError : goAwayStatus.internalError, reason);
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#state === 'over') return; // the frame before it was the last
    switch (frame.type) {
      case 'data':
        return this.#onData(frame);
      case 'syn-stream':
        return this.#onSynStream(frame);
      case 'headers':
      case 'syn-reply':
        this.#decoder.decode(frame.block); // the blocks after it build on it
        if (frame.fin) this.#streams.get(frame.streamId)?.deliver(Buffer.alloc(0), true);
        return;
      case 'rst-stream':
        return this.#streams.get(frame.streamId)?.peerReset(frame.status);
      case 'settings':
        return this.#onSettings(frame.settings);
      case 'ping':
        // Odd ids are the client's. An even one would answer a PING of ours, and we send none.
        if (frame.id % 2 === 1) this.#output.answer(encodePing(frame.id));
        return;
      case 'window-update':
        return this.#onWindowUpdate(frame.streamId, frame.delta);
      case 'goaway': // about streams that we would open, and we open none
      case 'unknown':
    }
  }

  #onSynStream(frame: Extract<Frame, { type: 'syn-stream' }>): void {
    const id = frame.streamId;
    const headers = this.#decoder.decode(frame.block);
    if (id % 2 === 0 || id <= this.#lastStreamId) {
      throw new Fault('invalid_argument', `SPDY: the peer opened stream ${id} after ${this.#lastStreamId}`);
    }
    this.#lastStreamId = id;
    if (!headers) return this.sendReset({ id }, resetStatus.protocolError);
    const isFull = this.#streams.size >= (this.#options.maxStreams ?? 1000);
    if (isFull || frame.unidirectional || this.#state !== 'open') {
      return this.sendReset({ id }, resetStatus.refusedStream);
    }
    const stream = new ServerStream(this, { id, headers });
    this.#streams.set(id, stream);
    if (frame.fin) stream.deliver(Buffer.alloc(0), true);
    try {
      this.#options.onStream(stream);
    } catch (err) {
      this.#options.log.error({ err, streamId: id }, 'SPDY stream was not taken');
      stream.duplex.destroy(err instanceof Error ? err : new Error(String(err)));
    }
  }

  #onData(frame: Extract<Frame, { type: 'data' }>): void {
    // The connection's window is for what is on the wire, and given back at once. Each stream's own
    // bounds what it holds, so one that is not read takes nothing from the others.
    this.#receiveWindow.received(frame.data.length);
    const update = this.#receiveWindow.consumed(frame.data.length);
    if (update > 0) this.sendWindowUpdate({ id: 0 }, update);

    const stream = this.#streams.get(frame.streamId);
    if (stream) return stream.deliver(frame.data, frame.fin);
    const wasNeverOpened = frame.streamId % 2 === 0 || frame.streamId > this.#lastStreamId;
    // The rest is for streams that ended while it was on its way.
    if (wasNeverOpened) this.sendReset({ id: frame.streamId }, resetStatus.invalidStream);
  }

  #onSettings(settings: Extract<Frame, { type: 'settings' }>['settings']): void {
    const initialWindow = settings.find(({ id }) => id === SETTING_INITIAL_WINDOW)?.value;
    if (initialWindow === undefined) return;
    this.habit.showedCounting();
    this.outflow.resize(initialWindow, this.#streams.values());
  }

  #onWindowUpdate(streamId: number, delta: number): void {
    this.habit.showedCounting();
    if (streamId !== 0) return this.outflow.growStream(this.#streams.get(streamId), delta);
    if (this.outflow.grow(delta)) return;
    throw new Fault('invalid_argument', 'SPDY: the peer grew the connection window beyond 2^31 - 1');
  }

  #onIdle(idleMs: number): void {
    this.#options.log.info({ ms: idleMs }, 'SPDY connection was idle for too long');
    this.#finish(goAwayStatus.ok, new Fault('deadline_exceeded', `no SPDY frame came for ${idleMs} ms`));
  }

  /** Nothing more is said but GOAWAY, if there is a status for it. Streams that are open fail. */
  #finish(status: number | null, reason: Fault): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    for (const stream of this.#streams.values()) stream.connectionLost(reason);
    this.#output.end(status === null ? null : encodeGoAway(this.#lastStreamId, status));
    // Closing a socket with unread bytes would cut off what the peer has still to read.
    this.#reading.stop();
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    void this.closed.then(() => clearTimeout(timer));
  }

  #onClose(): void {
    this.#finish(null, new Fault('unavailable', 'the SPDY connection was lost'));
    this.#reading.stop();
    if (this.#idle) clearTimeout(this.#idle);
    this.#closed.resolve();
  }
}

/** Ends a stream of ours after what was written to it. One that nobody replied to is given up. */
async function endStream(stream: ServerStream): Promise<void> {
  const { duplex } = stream;
  if (!stream.replied) return stream.reset();
  if (duplex.writableFinished || duplex.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  duplex.once('finish', resolve).once('close', resolve);
  duplex.end();
  await promise;
}
