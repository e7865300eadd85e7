import { Duplex } from 'node:stream';
import { Fault } from '../../lib/fault.ts';
import { resetStatus } from './frames.ts';
import type { Headers } from './header-block.ts';
import { Inbox } from './inbox.ts';
import type { Outflow } from './outflow.ts';
import type { Flushed } from './output.ts';
import type { PeerHabit } from './window.ts';
import { ReceiveWindow, SendWindow } from './window.ts';

/** One stream that the client opened. */
export interface SpdyStream {
  readonly id: number;
  /** As sent with SYN_STREAM, names in lower case. */
  readonly headers: Headers;
  /**
   * end() sends FIN and 'end' is the peer's FIN, each for its direction alone. destroy() sends
   * RST_STREAM. It fails with a Fault when the peer resets the stream (cancelled), or the connection
   * ends first (unavailable). A stream that is not read holds up the others at last, so a reader
   * that wants nothing calls resume().
   */
  readonly duplex: Duplex;
  /** Sends SYN_REPLY, once. Data and FIN send it too if they come first, since clients insist on it. */
  reply(headers?: Headers): void;
  /** Gives the stream up, in both directions. */
  reset(): void;
}

/** What a stream needs of its connection. */
export interface Carrier {
  readonly habit: PeerHabit;
  readonly outflow: Outflow;
  sendData(stream: ServerStream, data: Buffer, flushed?: Flushed): void;
  sendFin(stream: ServerStream, flushed: Flushed): void;
  sendReply(stream: ServerStream, headers: Headers): void;
  sendReset(stream: ServerStream, status: number): void;
  sendWindowUpdate(stream: ServerStream, bytes: number): void;
  /** The cost of what the reader has not taken has changed by so many bytes. */
  held(stream: ServerStream, change: number): void;
  /** Nothing more comes or goes on this stream. */
  forget(stream: ServerStream): void;
}

/** The longest data frame we send, so that other streams get their turn. */
const MAX_DATA_BYTES = 64 * 1024;

/** One stream's state. The connection calls the methods that SpdyStream does not have. */
export class ServerStream implements SpdyStream {
  readonly id: number;
  readonly headers: Headers;
  readonly duplex: Duplex;
  readonly #carrier: Carrier;
  readonly #inbox = new Inbox();
  readonly #sendWindow: SendWindow;
  readonly #receiveWindow: ReceiveWindow;
  #sending: { left: Buffer; done: Flushed } | null = null;
  /** The reader has asked, and there was nothing. */
  #wanted = false;
  #replied = false;
  #finSent = false;
  #finReceived = false;
  /** Neither RST_STREAM nor anything else may be sent about it any more. */
  #over = false;

  constructor(carrier: Carrier, opened: { id: number; headers: Headers }) {
    this.#carrier = carrier;
    this.id = opened.id;
    this.headers = opened.headers;
    this.#sendWindow = new SendWindow(carrier.outflow.initialWindow);
    this.#receiveWindow = new ReceiveWindow(carrier.habit);
    this.duplex = new Duplex({
      allowHalfOpen: true,
      // The inbox does the buffering and knows what it costs, so Node shall read nothing ahead.
      readableHighWaterMark: 0,
      read: () => this.#read(),
      write: (chunk: Buffer, _encoding, done) => this.#write(chunk, done),
      writev: (chunks, done) => this.#write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
      final: (done) => this.#final(done),
      destroy: (error, done) => this.#destroy(error, done),
    });
    // A stream without a listener would end the process when its client goes away.
    this.duplex.on('error', () => {});
  }

  get cost(): number {
    return this.#inbox.cost;
  }

  get replied(): boolean {
    return this.#replied;
  }

  reply(headers: Headers = {}): void {
    if (this.#replied || this.#over) return;
    this.#replied = true;
    this.#carrier.sendReply(this, headers);
  }

  reset(): void {
    this.duplex.destroy();
  }

  /** Data and FIN from the peer. A view of the socket's memory is kept as it is. */
  deliver(data: Buffer, fin: boolean): void {
    if (this.#finReceived) return this.breakOff('sent data after its end');
    if (data.length > 0) {
      this.#receiveWindow.received(data.length);
      this.#hold(() => this.#inbox.add(data));
    }
    this.#finReceived = fin;
    if (this.#wanted) this.#read();
    this.#forgetIfDone();
  }

  peerReset(status: number): void {
    this.#over = true;
    this.duplex.destroy(new Fault('cancelled', `the client reset stream ${this.id} with status ${status}`));
  }

  connectionLost(reason: Error): void {
    this.#over = true;
    this.duplex.destroy(reason);
  }

  /** Ends this stream alone for what the peer did to it. */
  breakOff(what: string, status: number = resetStatus.protocolError): void {
    this.#carrier.sendReset(this, status);
    this.#over = true;
    this.duplex.destroy(new Fault('invalid_argument', `the client ${what} on stream ${this.id}`));
  }

  /** The peer lets us send so much more, or less if that is negative. */
  growSendWindow(bytes: number): void {
    if (this.#sendWindow.grow(bytes)) return this.flush();
    this.breakOff('grew the window beyond 2^31 - 1', resetStatus.flowControlError);
  }

  /** Sends what the windows admit of what is waiting. */
  flush(): void {
    while (this.#sending) {
      const { left, done } = this.#sending;
      const room = this.#carrier.outflow.room(this.#sendWindow);
      if (room <= 0) return this.#carrier.outflow.wait(this);
      const part = left.subarray(0, Math.min(room, MAX_DATA_BYTES));
      const isLast = part.length === left.length;
      this.#sending = isLast ? null : { left: left.subarray(part.length), done };
      this.#sendWindow.take(part.length);
      this.#carrier.outflow.take(part.length);
      this.#carrier.sendData(this, part, isLast ? done : undefined);
    }
  }

  #read(): void {
    const batch = this.#hold(() => this.#inbox.take());
    this.#wanted = !batch && !this.#finReceived;
    if (batch) this.#giveBack(batch.length);
    if (!this.#wanted) this.duplex.push(batch);
  }

  #giveBack(bytes: number): void {
    const update = this.#receiveWindow.consumed(bytes);
    if (update > 0 && !this.#finReceived && !this.#over) this.#carrier.sendWindowUpdate(this, update);
  }

  #write(data: Buffer, done: Flushed): void {
    if (this.#over) return done(new Fault('unavailable', `stream ${this.id} is over`));
    this.reply();
    if (data.length === 0) return done();
    this.#sending = { left: data, done };
    this.flush();
  }

  #final(done: Flushed): void {
    if (this.#over) return done();
    this.reply();
    this.#finSent = true;
    this.#carrier.sendFin(this, done);
    this.#forgetIfDone();
  }

  #destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#sending = null;
    this.#hold(() => this.#inbox.clear());
    if (!this.#over && !(this.#finSent && this.#finReceived)) {
      this.#carrier.sendReset(this, error ? resetStatus.internalError : resetStatus.cancel);
    }
    this.#over = true;
    this.#carrier.forget(this);
    done(error);
  }

  #forgetIfDone(): void {
    if (this.#finSent && this.#finReceived) this.#carrier.forget(this);
  }

  /** Does something to the inbox, and reports what it changed. */
  #hold<T>(action: () => T): T {
    const before = this.#inbox.cost;
    const result = action();
    if (this.#inbox.cost !== before) this.#carrier.held(this, this.#inbox.cost - before);
    return result;
  }
}
