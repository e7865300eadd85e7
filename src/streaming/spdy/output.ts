import type { Duplex } from 'node:stream';

/** Called when the bytes are with the kernel, or will never be. */
export type Flushed = (error?: Error | null) => void;

/**
 * The sending end of the socket. What is written in one turn of the event loop leaves in one system
 * call. Data is bounded by its writers, which wait for their call-backs; answers to the peer's own
 * frames are counted, so that the connection can stop reading before a flood of them fills memory.
 */
export class Output {
  readonly #socket: Duplex;
  readonly #onAnswers: () => void;
  #corked = false;
  #pendingAnswers = 0;

  /** `onAnswers` is called whenever `pendingAnswers` has changed. */
  constructor(socket: Duplex, onAnswers: () => void) {
    this.#socket = socket;
    this.#onAnswers = onAnswers;
  }

  /** Bytes of answers that wait for the peer to read. */
  get pendingAnswers(): number {
    return this.#pendingAnswers;
  }

  /** Nothing waits, not even data: a write would show at once whether the peer is still there. */
  get idle(): boolean {
    return this.#socket.writableLength === 0;
  }

  answer(frame: Buffer): void {
    if (!this.#socket.writable) return;
    this.#cork();
    this.#pendingAnswers += frame.length;
    this.#onAnswers();
    this.#socket.write(frame, () => {
      this.#pendingAnswers -= frame.length;
      this.#onAnswers();
    });
  }

  data(header: Buffer, payload: Buffer | null, flushed: Flushed = () => {}): void {
    if (!this.#socket.writable) return flushed(new Error('the socket is closed'));
    this.#cork();
    if (payload) this.#socket.write(header);
    this.#socket.write(payload ?? header, flushed);
  }

  /** Says this last, then half-closes the socket. */
  end(frame: Buffer | null): void {
    if (!this.#socket.writable) return;
    if (frame) this.#socket.end(frame);
    else this.#socket.end();
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }
}
