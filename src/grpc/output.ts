import type { Socket } from 'node:net';

/** Frames up to so many bytes together are copied into one buffer: cheaper than a list for the kernel. */
const COPY_BYTES = 16 * 1024;

/** What one turn of the event loop has to say, in one write to the socket. */
export class Output {
  readonly #socket: Socket;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;
  #ending = false;

  /** `onDrain` is called when the socket takes more again, after `isFull` was true. */
  constructor(socket: Socket, onDrain: () => void) {
    this.#socket = socket;
    socket.on('drain', onDrain);
  }

  /** The peer is behind. What has to be said at once may still be written. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** The bytes are sent from where they are, before the microtasks of this turn are over if the socket can. */
  write(part: Uint8Array): void {
    if (this.#ending) return;
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  /** Closes the socket after what was written, whether or not the peer closes its side. */
  end(): void {
    this.#ending = true;
    this.#flush();
    this.#socket.end(() => this.#socket.destroy());
  }

  #flush(): void {
    this.#scheduled = false;
    const parts = this.#parts;
    if (parts.length === 0 || this.#socket.destroyed) return;
    this.#parts = [];
    if (this.#bytes <= COPY_BYTES) {
      this.#socket.write(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, this.#bytes));
    } else {
      this.#socket.cork();
      for (const part of parts) this.#socket.write(part);
      this.#socket.uncork();
    }
    this.#bytes = 0;
  }
}
