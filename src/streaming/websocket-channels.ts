import { Readable, Writable } from 'node:stream';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import { quiet } from './half-streams.ts';

/** How often a client that we do not read from is probed, in milliseconds. */
const PROBE_MS = 10_000;

/** A byte that no channel has: it announces the end of the channel that follows (version 5). */
const CLOSE_SIGNAL = 255;

const NORMAL_CLOSURE = 1000;
const PROTOCOL_ERROR = 1002;

export interface ChannelOptions {
  readonly log: Logger;
  /** One of `…channel.k8s.io`, or empty for what a client means that asks for none. */
  readonly protocol: string;
  /** The connection is dropped if nothing moved for so long, in milliseconds. */
  readonly idleMs: number;
}

/**
 * Numbered byte streams over one WebSocket. A message is its channel's number as one byte and then data;
 * in the base64 protocols it is text, with the number as a digit. All channels share one order, so a
 * channel that is not read holds up those behind it, as does a client that does not read.
 */
export class Channels {
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  readonly #ws: WebSocket;
  readonly #log: Logger;
  readonly #isText: boolean;
  readonly #signalsClose: boolean;
  readonly #sources = new Map<number, Readable>();
  readonly #sinks: Writable[] = [];
  /** Those whose reader has enough for now. */
  readonly #full = new Set<number>();
  readonly #idle: NodeJS.Timeout;
  readonly #probe: NodeJS.Timeout;

  constructor(ws: WebSocket, { log, protocol, idleMs }: ChannelOptions) {
    this.#ws = ws;
    this.#log = log;
    this.#isText = protocol.endsWith('base64.channel.k8s.io');
    this.#signalsClose = protocol === 'v5.channel.k8s.io';
    this.#idle = setTimeout(() => this.#onIdle(idleMs), idleMs);
    this.#probe = setInterval(() => this.#onProbe(), PROBE_MS);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    ws.on('message', (data) => this.#onMessage(data));
    ws.on('error', (err) => log.debug({ err }, 'websocket failed'));
    ws.once('close', () => {
      clearTimeout(this.#idle);
      clearInterval(this.#probe);
      resolve();
      // After those who wait for `closed`, so that they know the reason before their streams break.
      setImmediate(() => this.#destroyStreams());
    });
  }

  /** What the client sends on a channel. Once it is destroyed, what still comes is dropped. */
  source(channel: number): Readable {
    const source = new Readable({
      read: () => this.#want(channel),
      destroy: (error, done) => {
        this.#sources.delete(channel);
        this.#want(channel);
        done(error);
      },
    });
    quiet(source);
    this.#sources.set(channel, source);
    return source;
  }

  /** What the client gets on a channel. Its end is not told, since no version has a word for it. */
  sink(channel: number): Writable {
    // One message is on its way at a time, so they can all have the same memory.
    let memory = Buffer.alloc(0);
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (memory.length <= chunk.length) memory = Buffer.allocUnsafeSlow(chunk.length + 1);
        this.#send(this.#message(channel, chunk, memory), done);
      },
    });
    quiet(sink);
    this.#sinks.push(sink);
    return sink;
  }

  /** One message; resolves when it is on its way, or the connection is not. */
  send(channel: number, data: Buffer): Promise<void> {
    const message = this.#message(channel, data, Buffer.allocUnsafe(data.length + 1));
    return new Promise((resolve) => this.#send(message, () => resolve()));
  }

  /** Says goodbye and waits for the client's. */
  async close(): Promise<void> {
    // Unread bytes in the socket would make the kernel drop what the client has yet to read.
    for (const source of this.#sources.values()) source.destroy();
    this.#ws.close(NORMAL_CLOSURE);
    await this.closed;
  }

  /** Written into `memory` unless it is a text. */
  #message(channel: number, data: Buffer, memory: Buffer): Buffer | string {
    if (this.#isText) return String.fromCharCode(0x30 + channel) + data.toString('base64');
    memory[0] = channel;
    data.copy(memory, 1);
    return memory.subarray(0, data.length + 1);
  }

  #send(message: Buffer | string, done: (error?: Error | null) => void): void {
    this.#idle.refresh();
    this.#ws.send(message, (error?: Error | null): void => {
      this.#idle.refresh();
      done(error);
    });
  }

  #onMessage(data: RawData): void {
    this.#idle.refresh();
    const message = data as Buffer; // "nodebuffer", the default binaryType
    const first = message[0];
    if (first === undefined) return;
    if (this.#signalsClose && first === CLOSE_SIGNAL) {
      this.#onCloseSignal(message);
      return;
    }
    const channel = this.#isText ? first - 0x30 : first;
    const payload = this.#isText ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    const source = this.#sources.get(channel);
    if (source === undefined || payload.length === 0) return;
    if (!source.push(payload)) {
      this.#full.add(channel);
      this.#ws.pause();
    }
  }

  #onCloseSignal(message: Buffer): void {
    const channel = message[1];
    if (message.length !== 2 || channel === undefined) {
      this.#ws.close(PROTOCOL_ERROR, 'a close signal is followed by one channel');
      return;
    }
    const source = this.#sources.get(channel);
    this.#sources.delete(channel);
    source?.push(null);
  }

  #want(channel: number): void {
    if (!this.#full.delete(channel) || this.#full.size > 0) return;
    this.#ws.resume();
  }

  #onIdle(idleMs: number): void {
    this.#log.info({ idleMs }, 'session ended: nothing moved');
    this.#ws.terminate();
  }

  /** While we do not read, only a write that fails tells that the client is gone. */
  #onProbe(): void {
    if (this.#full.size > 0 && this.#ws.bufferedAmount === 0) this.#ws.ping();
  }

  #destroyStreams(): void {
    const error = new Error('the connection was closed');
    for (const source of this.#sources.values()) source.destroy(error);
    for (const sink of this.#sinks) if (!sink.writableFinished) sink.destroy(error);
  }
}
