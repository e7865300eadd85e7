import { DEFAULT_WINDOW } from './frames.ts';

/** What happens on a stream. Nothing follows `closed`. */
export interface StreamEvents {
  /** The first are the request's or the response's, later ones its trailers. */
  headers(headers: Map<string, string>, ended: boolean): void;
  /** Valid until this returns. Whoever has done with bytes says so by `consumed`. */
  data(bytes: Buffer, ended: boolean): void;
  /** All that was sent has gone to the socket, after a time in which it had not. */
  drained(): void;
  /** Both sides have said all: null. Otherwise why the stream broke off. */
  closed(why: Error | null): void;
}

/** What a stream needs of its connection. */
export interface Carrier {
  /** Sends what is queued on the stream as far as windows and socket let it. */
  pump(stream: Stream): void;
  sendHeaders(stream: Stream, block: Buffer, end: boolean): void;
  sendReset(stream: Stream, reason: number): void;
  sendWindowUpdate(stream: Stream, bytes: number): void;
  /** Both sides have ended, or one has broken off. */
  forget(stream: Stream): void;
}

/** So many bytes of one stream may be on their way to us, or lie with us unread. */
export const RECEIVE_WINDOW = 1024 * 1024;

/** So many bytes may wait for the peer before the writer is asked to wait. */
const HIGH_WATER_BYTES = 256 * 1024;

/** One HTTP/2 stream (RFC 9113, 5), of either side. */
export class Stream {
  readonly id: number;
  /** Set by who gets the stream, before anything can happen on it. */
  events: StreamEvents;
  /** How much the peer still takes. */
  window: number;
  /** What waits for the windows, in order. */
  readonly queue: Uint8Array[] = [];
  queuedBytes = 0;
  /** Sent behind the queue: trailers, or null for a bare end. */
  #last: Buffer | null = null;
  #ending = false;
  /** We have said all. */
  localEnded = false;
  /** The peer has said all. */
  remoteEnded = false;
  isClosed = false;
  #unacknowledged = 0;
  #wasFull = false;
  readonly #carrier: Carrier;

  constructor(id: number, carrier: Carrier, events: StreamEvents, window = DEFAULT_WINDOW) {
    this.id = id;
    this.#carrier = carrier;
    this.events = events;
    this.window = window;
  }

  sendHeaders(block: Buffer, end = false): void {
    if (this.isClosed) return;
    this.#carrier.sendHeaders(this, block, end);
    if (end) this.#ended();
  }

  /**
   * The parts are sent from where they are, so they must stay as they are. False when the peer is behind:
   * then `drained` says when it has caught up.
   */
  send(parts: readonly Uint8Array[]): boolean {
    if (this.isClosed || this.#ending) return true;
    for (const part of parts) {
      this.queue.push(part);
      this.queuedBytes += part.length;
    }
    this.#carrier.pump(this);
    this.#wasFull = this.queuedBytes >= HIGH_WATER_BYTES;
    return !this.#wasFull;
  }

  /** Nothing is sent after what was; `trailers` is a block of headers to end with. */
  end(trailers: Buffer | null = null): void {
    if (this.isClosed || this.#ending) return;
    this.#ending = true;
    this.#last = trailers;
    this.#carrier.pump(this);
  }

  /** Gives the stream up. The other side hears why. */
  reset(reason: number, why: Error): void {
    if (this.isClosed) return;
    this.#carrier.sendReset(this, reason);
    this.close(why);
  }

  /** Bytes that came are done with: the peer may send as many more. */
  consumed(bytes: number): void {
    this.#unacknowledged += bytes;
    if (this.isClosed || this.remoteEnded || this.#unacknowledged < RECEIVE_WINDOW / 2) return;
    this.#carrier.sendWindowUpdate(this, this.#unacknowledged);
    this.#unacknowledged = 0;
  }

  // For the connection alone.

  /** True when the end may be a flag on the last frame of data. */
  get endsWithData(): boolean {
    return this.#ending && this.#last === null;
  }

  /** The queue has become shorter, maybe empty. */
  wasPumped(): void {
    if (this.queue.length === 0 && this.#ending && !this.localEnded) {
      if (this.#last !== null) this.#carrier.sendHeaders(this, this.#last, true);
      this.#ended();
      return;
    }
    if (this.#wasFull && this.queuedBytes < HIGH_WATER_BYTES / 2) {
      this.#wasFull = false;
      this.events.drained();
    }
  }

  remoteHasEnded(): void {
    this.remoteEnded = true;
    if (this.localEnded) this.close(null);
  }

  close(why: Error | null): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.queue.length = 0;
    this.queuedBytes = 0;
    this.#carrier.forget(this);
    this.events.closed(why);
  }

  #ended(): void {
    this.localEnded = true;
    if (this.remoteEnded) this.close(null);
  }
}
