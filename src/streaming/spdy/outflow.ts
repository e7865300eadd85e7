import type { ServerStream } from './stream.ts';
import { INITIAL_WINDOW, SendWindow } from './window.ts';

/** How much data may leave, on all streams of one connection. */
export class Outflow {
  readonly #window = new SendWindow(INITIAL_WINDOW);
  readonly #waiting = new Set<ServerStream>();
  #initialWindow = INITIAL_WINDOW;
  /** Until the peer has named a window, the ones of the draft are counted and not kept. */
  #isKept = false;

  /** The window of a new stream. */
  get initialWindow(): number {
    return this.#initialWindow;
  }

  /** What a stream with this window of its own may send now. Infinity if nobody counts. */
  room(own: SendWindow): number {
    return this.#isKept ? Math.min(own.left, this.#window.left) : Number.POSITIVE_INFINITY;
  }

  take(bytes: number): void {
    this.#window.take(bytes);
  }

  /** The stream gets its turn when the connection's window opens. */
  wait(stream: ServerStream): void {
    this.#waiting.add(stream);
  }

  forget(stream: ServerStream): void {
    this.#waiting.delete(stream);
  }

  /** The peer has sent SETTINGS with another window for streams, which changes those that are open. */
  resize(initialWindow: number, open: Iterable<ServerStream>): void {
    this.#isKept = true;
    const change = initialWindow - this.#initialWindow;
    this.#initialWindow = initialWindow;
    for (const stream of open) stream.growSendWindow(change);
  }

  /** WINDOW_UPDATE of one stream, which may be gone. */
  growStream(stream: ServerStream | undefined, bytes: number): void {
    this.#isKept = true;
    stream?.growSendWindow(bytes);
  }

  /** WINDOW_UPDATE of the connection. False when that is more than a window can be. */
  grow(bytes: number): boolean {
    this.#isKept = true;
    if (!this.#window.grow(bytes)) return false;
    // Those that find no room join the set again, behind the others.
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const stream of waiting) stream.flush();
    return true;
  }
}
