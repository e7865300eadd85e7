import type { Socket } from 'node:net';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Frame } from './frames.ts';
import {
  contentOf,
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FrameParser,
  frameHeader,
  goAwayFrame,
  headersFrames,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  PREFACE,
  pingFrame,
  REASON,
  resetFrame,
  SETTING,
  SETTINGS_ACK,
  settingsFrame,
  windowUpdateFrame,
} from './frames.ts';
import { HeaderDecoder, MAX_LIST_BYTES, NO_TABLE, TABLE_BYTES } from './hpack.ts';
import type { Carrier, StreamEvents } from './http2-stream.ts';
import { RECEIVE_WINDOW, Stream } from './http2-stream.ts';
import { Output } from './output.ts';

export interface ConnectionOptions {
  /** The events of a stream that the peer has opened. A server's connection needs it; clients refuse. */
  onStream?: (stream: Stream) => StreamEvents;
  /** Once, with what went wrong; null when the peer has just left. */
  onClose?: (why: Error | null) => void;
}

/** A peer that opens more streams at once than anybody needs. */
const MAX_STREAMS = 1_000;

/** What one block of headers may take on the wire, where it is shorter than the list or hardly longer. */
const MAX_BLOCK_BYTES = 2 * MAX_LIST_BYTES;
const MAX_BLOCK_FRAMES = 64;

/** One turn of a stream while others wait, so that a large message does not keep small ones. */
const TURN_BYTES = 8 * MAX_FRAME_BYTES;

/**
 * One side of an HTTP/2 connection without TLS (RFC 9113), as far as gRPC needs it: no push, no priorities,
 * no upgrade. A peer that breaks the protocol loses the connection; nothing is thrown outside.
 */
export class Http2Connection implements Carrier {
  readonly #role: 'client' | 'server';
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #output: Output;
  readonly #parser = new FrameParser();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Stream>();
  /** Streams with something to send that the windows or the socket do not let through. */
  readonly #waiting = new Set<Stream>();
  readonly #pings: (() => void)[] = [];
  #window = DEFAULT_WINDOW;
  #peerWindow = DEFAULT_WINDOW;
  /** The next block of headers has to begin with the size of our table, which is none. */
  #tellsNoTable = false;
  #peerMaxStreams = Number.POSITIVE_INFINITY;
  #received = 0;
  #nextId = 1;
  /** The highest that the peer has opened. */
  #lastId = 0;
  #prefaceLeft: Buffer;
  /** A header block whose end has not come. */
  #block: { streamId: number; parts: Buffer[]; bytes: number; endStream: boolean } | null = null;
  /** open: as usual · draining: one side takes no new streams · closed */
  #state: 'open' | 'draining' | 'closed' = 'open';
  #why: Error | null = null;

  constructor(role: 'client' | 'server', socket: Socket, options: ConnectionOptions = {}) {
    this.#role = role;
    this.#socket = socket;
    this.#options = options;
    this.#output = new Output(socket, () => this.#pumpAll());
    this.#prefaceLeft = role === 'server' ? PREFACE : Buffer.alloc(0);
    socket.on('error', (error) => {
      this.#why ??= error;
    });
    socket.on('close', () => this.#onClose());
    // A peer that says no more can be told nothing of use either.
    socket.on('end', () => socket.destroy());
    if (role === 'client') this.#output.write(PREFACE);
    this.#output.write(
      settingsFrame([
        ...(role === 'client'
          ? ([[SETTING.enablePush, 0]] as const)
          : ([[SETTING.maxStreams, MAX_STREAMS]] as const)),
        [SETTING.initialWindow, RECEIVE_WINDOW],
        // Or a peer with a long error to tell would lose the connection, and all calls on it.
        [SETTING.maxHeaderList, MAX_LIST_BYTES],
      ]),
    );
    // What streams may have in flight is bounded each by each, so the whole need not be.
    this.#output.write(windowUpdateFrame(0, MAX_WINDOW - DEFAULT_WINDOW));
  }

  /** True while a new stream may be opened. */
  get isUsable(): boolean {
    return this.#state === 'open' && this.#nextId < MAX_WINDOW && !this.#socket.destroyed;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Opens a stream, for a client. `unavailable` when the peer takes no more of them. */
  open(events: StreamEvents): Stream {
    if (!this.isUsable)
      throw new Fault('unavailable', this.#why === null ? 'the connection is closed' : messageOf(this.#why));
    if (this.#streams.size >= this.#peerMaxStreams)
      throw new Fault(
        'unavailable',
        `the peer serves ${this.#peerMaxStreams} calls at a time, and not one more`,
      );
    const stream = new Stream(this.#nextId, this, events, this.#peerWindow);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    return stream;
  }

  /** What the socket has read. The bytes may be overwritten when this returns. */
  receive(chunk: Buffer): void {
    try {
      const bytes = this.#afterPreface(chunk);
      for (const frame of this.#parser.push(bytes)) {
        if (this.#state === 'closed') return;
        this.#onFrame(frame);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** `answered` is called when the peer has answered, and never if it does not. */
  ping(answered: () => void): void {
    this.#pings.push(answered);
    this.#output.write(pingFrame(Buffer.alloc(8), false));
  }

  /** Takes no new streams; the connection closes when those that run have ended. */
  drain(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#output.write(goAwayFrame(this.#lastId, REASON.none, ''));
    this.#closeIfDone();
  }

  /** Breaks everything off. */
  destroy(why: Error): void {
    this.#why ??= why;
    this.#socket.destroy();
    this.#onClose();
  }

  // What streams need: see Carrier.

  pump(stream: Stream): void {
    this.#pumpTurn(stream, this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : TURN_BYTES);
  }

  sendHeaders(stream: Stream, block: Buffer, end: boolean): void {
    const whole = this.#tellsNoTable ? Buffer.concat([NO_TABLE, block]) : block;
    this.#tellsNoTable = false;
    this.#output.write(headersFrames(stream.id, whole, end));
  }

  sendReset(stream: Stream, reason: number): void {
    this.#output.write(resetFrame(stream.id, reason));
  }

  sendWindowUpdate(stream: Stream, bytes: number): void {
    this.#output.write(windowUpdateFrame(stream.id, bytes));
  }

  forget(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
    this.#closeIfDone();
  }

  // Sending.

  #pumpAll(): void {
    // Each in turn; whoever still waits goes to the end.
    for (let moved = true; moved && this.#waiting.size > 0; ) {
      moved = false;
      for (const stream of Array.from(this.#waiting)) moved = this.#pumpTurn(stream, TURN_BYTES) || moved;
    }
  }

  /** True when something was sent. */
  #pumpTurn(stream: Stream, most: number): boolean {
    let left = most;
    while (stream.queuedBytes > 0) {
      const room = Math.min(this.#window, stream.window, MAX_FRAME_BYTES, left);
      if (room <= 0 || this.#output.isFull) break;
      const bytes = Math.min(room, stream.queuedBytes);
      this.#sendData(stream, bytes);
      left -= bytes;
    }
    this.#waiting.delete(stream);
    if (stream.queuedBytes > 0) this.#waiting.add(stream);
    else stream.queue.length = 0;
    // An end without data is told by an empty frame.
    if (stream.queuedBytes === 0 && stream.endsWithData && !stream.localEnded && left === most)
      this.#output.write(frameHeader(FRAME.data, FLAG.endStream, stream.id, 0));
    stream.wasPumped();
    return left < most;
  }

  #sendData(stream: Stream, bytes: number): void {
    const isLast = bytes === stream.queuedBytes && stream.endsWithData;
    this.#output.write(frameHeader(FRAME.data, isLast ? FLAG.endStream : 0, stream.id, bytes));
    for (let left = bytes; left > 0; ) {
      const [first] = stream.queue as [Uint8Array];
      if (first.length <= left) stream.queue.shift();
      else stream.queue[0] = first.subarray(left);
      const part = first.subarray(0, left);
      this.#output.write(part);
      left -= part.length;
    }
    stream.queuedBytes -= bytes;
    stream.window -= bytes;
    this.#window -= bytes;
  }

  // Receiving.

  #afterPreface(chunk: Buffer): Buffer {
    const expected = this.#prefaceLeft;
    if (expected.length === 0) return chunk;
    const length = Math.min(expected.length, chunk.length);
    if (!chunk.subarray(0, length).equals(expected.subarray(0, length)))
      throw new Fault('internal', 'the peer does not speak HTTP/2');
    this.#prefaceLeft = expected.subarray(length);
    return chunk.subarray(length);
  }

  #onFrame(frame: Frame): void {
    const { type, streamId } = frame;
    if (this.#block !== null && (type !== FRAME.continuation || streamId !== this.#block.streamId))
      throw new Fault('internal', 'another frame within a block of headers');
    switch (type) {
      case FRAME.data:
        return this.#onData(frame);
      case FRAME.headers:
        return this.#onHeaders(frame);
      case FRAME.continuation:
        return this.#onBlockPart(frame, frame.payload);
      case FRAME.resetStream:
        return this.#onReset(frame);
      case FRAME.settings:
        return this.#onSettings(frame);
      case FRAME.ping:
        return this.#onPing(frame);
      case FRAME.goAway:
        return this.#onGoAway(frame);
      case FRAME.windowUpdate:
        return this.#onWindowUpdate(frame);
      case FRAME.pushPromise:
        throw new Fault('internal', 'a push');
      default: // whatever else there is means nothing to us
    }
  }

  #onData(frame: Frame): void {
    const { streamId, payload } = frame;
    this.#received += payload.length;
    if (this.#received > MAX_WINDOW / 2) {
      this.#output.write(windowUpdateFrame(0, this.#received));
      this.#received = 0;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.remoteEnded) {
      this.#mustBeKnown(streamId);
      return; // of a stream that we have left
    }
    const bytes = contentOf(frame);
    if (bytes.length < payload.length) stream.consumed(payload.length - bytes.length);
    const ended = (frame.flags & FLAG.endStream) !== 0;
    stream.events.data(bytes, ended);
    if (ended) stream.remoteHasEnded();
  }

  #onHeaders(frame: Frame): void {
    const { streamId, flags } = frame;
    this.#block = { streamId, parts: [], bytes: 0, endStream: (flags & FLAG.endStream) !== 0 };
    this.#onBlockPart(frame, contentOf(frame));
  }

  #onBlockPart({ flags }: Frame, part: Buffer): void {
    const block = this.#block;
    if (block === null) throw new Fault('internal', 'the end of headers that did not begin');
    block.bytes += part.length;
    if (block.bytes > MAX_BLOCK_BYTES || block.parts.length >= MAX_BLOCK_FRAMES)
      throw new Fault('internal', `${block.bytes} bytes of headers`);
    const isLast = (flags & FLAG.endHeaders) !== 0;
    // What has to wait for the rest is kept beyond this chunk.
    block.parts.push(isLast ? part : Buffer.from(part));
    if (!isLast) return;
    this.#block = null;
    const whole = block.parts.length === 1 ? part : Buffer.concat(block.parts);
    // Even for a stream that is gone: the block may change the decoder's table.
    this.#onHeaderList(block.streamId, this.#decoder.decode(whole), block.endStream);
  }

  #onHeaderList(streamId: number, headers: Map<string, string> | null, ended: boolean): void {
    const stream = this.#streams.get(streamId) ?? this.#accept(streamId);
    if (stream === null || stream.remoteEnded) return;
    if (headers === null)
      return stream.reset(REASON.cancel, new Error(`over ${MAX_LIST_BYTES} bytes of headers`));
    stream.events.headers(headers, ended);
    if (ended) stream.remoteHasEnded();
  }

  /** Null for a stream that is gone, or that is refused. */
  #accept(streamId: number): Stream | null {
    const { onStream } = this.#options;
    if (onStream === undefined || streamId <= this.#lastId) {
      this.#mustBeKnown(streamId);
      return null;
    }
    if (streamId % 2 === 0) throw new Fault('internal', `stream ${streamId} of a client`);
    this.#lastId = streamId;
    if (this.#state !== 'open' || this.#streams.size >= MAX_STREAMS) {
      this.#output.write(resetFrame(streamId, REASON.refused));
      return null;
    }
    const stream = new Stream(streamId, this, NOBODY, this.#peerWindow);
    this.#streams.set(streamId, stream);
    stream.events = onStream(stream);
    return stream;
  }

  /** A frame may come for a stream that has ended, but not for one that never was. */
  #mustBeKnown(streamId: number): void {
    const last = this.#role === 'client' ? this.#nextId - 2 : this.#lastId;
    if (streamId === 0 || streamId > last || streamId % 2 === 0)
      throw new Fault('internal', `a frame for stream ${streamId}, which never was`);
  }

  #onReset({ streamId, payload }: Frame): void {
    const reason = payload.readUInt32BE(0);
    this.#mustBeKnown(streamId);
    this.#streams.get(streamId)?.close(new StreamReset(reason));
  }

  #onSettings({ flags, payload }: Frame): void {
    if ((flags & FLAG.ack) !== 0) return;
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case SETTING.maxStreams:
          this.#peerMaxStreams = value;
          break;
        case SETTING.tableSize:
          // We use no table, but its decoder waits to hear so (RFC 7541, 4.2).
          if (value < TABLE_BYTES) this.#tellsNoTable = true;
          break;
        case SETTING.initialWindow:
          if (value > MAX_WINDOW) throw new Fault('internal', `a window of ${value} bytes`);
          for (const stream of this.#streams.values()) stream.window += value - this.#peerWindow;
          this.#peerWindow = value;
          break;
        default: // the others are limits that we stay below anyway
      }
    }
    this.#output.write(SETTINGS_ACK);
    this.#pumpAll();
  }

  #onPing({ flags, payload }: Frame): void {
    if (payload.length !== 8) throw new Fault('internal', `a ping of ${payload.length} bytes`);
    if ((flags & FLAG.ack) === 0) this.#output.write(pingFrame(Buffer.from(payload), true));
    else this.#pings.shift()?.();
  }

  #onGoAway({ payload }: Frame): void {
    const last = payload.readUInt32BE(0) & 0x7f_ff_ff_ff;
    const reason = payload.readUInt32BE(4);
    const words = payload.toString('utf8', 8);
    this.#why ??=
      reason === REASON.none
        ? null
        : new Error(`the peer closes the connection: ${words || `reason ${reason}`}`);
    if (this.#state === 'open') this.#state = 'draining';
    // What the peer has not begun, it will not.
    const isOurs = this.#role === 'client';
    for (const stream of this.#streams.values())
      if (isOurs && stream.id > last) stream.close(new Error('the peer closes the connection'));
    this.#closeIfDone();
  }

  #onWindowUpdate({ streamId, payload }: Frame): void {
    const bytes = payload.readUInt32BE(0) & 0x7f_ff_ff_ff;
    if (streamId === 0) {
      this.#window += bytes;
      if (this.#window > MAX_WINDOW) throw new Fault('internal', 'a window that is too large');
      this.#pumpAll();
      return;
    }
    this.#mustBeKnown(streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.window += bytes;
    if (stream.window > MAX_WINDOW) stream.reset(REASON.flowControl, new Error('a window that is too large'));
    else if (this.#waiting.has(stream)) this.pump(stream);
  }

  // Ending.

  #fail(error: unknown): void {
    if (this.#state === 'closed') return;
    this.#why ??= error instanceof Error ? error : new Error(messageOf(error));
    this.#output.write(goAwayFrame(this.#lastId, REASON.protocol, messageOf(error)));
    this.#output.end();
    this.#onClose();
  }

  #closeIfDone(): void {
    if (this.#state === 'draining' && this.#streams.size === 0) this.#output.end();
  }

  #onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const why = this.#why ?? new Error('the connection was closed');
    for (const stream of this.#streams.values()) stream.close(why);
    this.#options.onClose?.(this.#why);
  }
}

/** The peer has broken a stream off. */
export class StreamReset extends Error {
  /** HTTP/2's code. */
  readonly reason: number;

  constructor(reason: number) {
    super(`the peer has reset the stream, reason ${reason}`);
    this.name = 'StreamReset';
    this.reason = reason;
  }
}

/** The events of a stream between its making and its acceptance, when nothing can happen on it. */
const NOBODY: StreamEvents = { headers: nothing, data: nothing, drained: nothing, closed: nothing };

function nothing(): void {}
