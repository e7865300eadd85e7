import type { Duplex } from 'node:stream';
import { encodePing } from './frames.ts';
import type { Output } from './output.ts';

/** A stream that holds more than this stops the connection, until half of it was read. */
const STREAM_LIMIT = 1024 * 1024;

/** All streams together may hold this much. */
const CONNECTION_LIMIT = 8 * 1024 * 1024;

/** Answers that the peer may leave unread. */
const ANSWER_LIMIT = 64 * 1024;

/** How often to look after a peer whose frames are not read, in milliseconds. */
const LOOK_AFTER_MS = 5000;

/**
 * An answer to a PING that nobody sent, which the draft tells receivers to ignore. A PING that asks
 * for an answer could block a client whose own writes wait for us.
 */
const LOOK_AFTER = encodePing(0xffffffff);

/**
 * Decides when the socket is read. Clients of Kubernetes ignore windows, so a stream whose reader is
 * slow can only be held back together with its whole connection. Memory is bounded by the limits
 * above, plus the chunk that crosses them and what each stream's reader has taken.
 *
 * While nothing is read, nobody would notice that the peer is gone. A small frame goes out from time
 * to time, which fails then.
 */
export class Reading {
  readonly #socket: Duplex;
  readonly #output: Output;
  readonly #full = new Set<number>();
  #total = 0;
  #stopped = false;
  #held: NodeJS.Timeout | null = null;

  constructor(socket: Duplex, output: Output) {
    this.#socket = socket;
    this.#output = output;
  }

  /** Stream `id` costs `cost` bytes now, `change` more than before. */
  account(id: number, cost: number, change: number): void {
    this.#total += change;
    if (cost > STREAM_LIMIT) this.#full.add(id);
    else if (cost <= STREAM_LIMIT / 2) this.#full.delete(id);
    this.update();
  }

  update(): void {
    if (this.#stopped || this.#mayRead()) this.#resume();
    else this.#hold();
  }

  /** From now on what comes is thrown away, so it is read whatever is held. */
  stop(): void {
    this.#stopped = true;
    this.update();
  }

  #mayRead(): boolean {
    const limit = this.#held ? CONNECTION_LIMIT / 2 : CONNECTION_LIMIT;
    return this.#full.size === 0 && this.#total <= limit && this.#output.pendingAnswers <= ANSWER_LIMIT;
  }

  #hold(): void {
    if (this.#held || this.#socket.destroyed) return;
    this.#socket.pause();
    this.#held = setInterval(() => {
      if (this.#output.idle) this.#output.answer(LOOK_AFTER);
    }, LOOK_AFTER_MS);
  }

  #resume(): void {
    if (!this.#held) return;
    clearInterval(this.#held);
    this.#held = null;
    this.#socket.resume();
  }
}
