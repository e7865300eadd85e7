/**
 * Flow control, SPDY/3.1 draft, section 2.6.8: a sender may have 64 KiB of data on its way on each
 * stream, and 64 KiB on the whole connection, until WINDOW_UPDATE frames allow more.
 *
 * Kubernetes' clients (moby/spdystream) do none of it: they never send WINDOW_UPDATE, nor wait for
 * one, and they queue ours between their data frames in queues of 50 that stop the connection when
 * they are full. So each direction keeps the rules only with a peer that has shown that it does:
 *
 * - What we send is bounded by the peer's windows once it has named one, by WINDOW_UPDATE or by
 *   SETTINGS. Until then only the socket holds us back.
 * - What the peer may send is counted from the start. It gets no updates while we do not know its
 *   kind. One that sends beyond its window keeps none, and never gets any. One that stops exactly at
 *   its end may be waiting: it is given an odd number of bytes. Only who counts stops there again.
 */

/** The window of every stream, and of the connection, before anyone says otherwise, in bytes. */
export const INITIAL_WINDOW = 64 * 1024;

const MAX_WINDOW = 0x7fffffff;

/** What may still be sent. Less than zero after the peer has reduced its windows. */
export class SendWindow {
  #left: number;

  constructor(left: number) {
    this.#left = left;
  }

  get left(): number {
    return this.#left;
  }

  take(bytes: number): void {
    this.#left -= bytes;
  }

  /** False when that is more than a window can be, which is the peer's error. */
  grow(bytes: number): boolean {
    this.#left += bytes;
    return this.#left <= MAX_WINDOW;
  }
}

/** Whether the peer waits for our WINDOW_UPDATE frames. One value per connection. */
export class PeerHabit {
  #state: 'unknown' | 'counts' | 'ignores' = 'unknown';

  get state(): 'unknown' | 'counts' | 'ignores' {
    return this.#state;
  }

  /** It named windows of its own, or stopped at an odd end that nobody reaches by chance. */
  showedCounting(): void {
    if (this.#state === 'unknown') this.#state = 'counts';
  }

  overran(): void {
    this.#state = 'ignores';
  }
}

/** What the peer may still send, on one stream or on the connection. */
export class ReceiveWindow {
  readonly #habit: PeerHabit;
  #left = INITIAL_WINDOW;
  /** Received, and not yet given back. */
  #owed = 0;
  #probed = false;

  constructor(habit: PeerHabit) {
    this.#habit = habit;
  }

  received(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) this.#habit.overran();
    if (this.#left === 0 && this.#probed) this.#habit.showedCounting();
  }

  /** Says that `bytes` have found their place. Returns by how much to widen now, or 0 for no update. */
  consumed(bytes: number): number {
    this.#owed += bytes;
    if (this.#habit.state === 'ignores') return 0;
    if (this.#habit.state === 'counts') return this.#owed >= INITIAL_WINDOW / 2 ? this.#grant(this.#owed) : 0;
    if (this.#left > 0 || this.#owed < 2) return 0;
    this.#probed = true;
    // The next chunks of a peer that does not count will step over this, whatever their usual size.
    return this.#grant(this.#owed - 1 - (this.#owed % 2));
  }

  #grant(bytes: number): number {
    this.#owed -= bytes;
    this.#left += bytes;
    return bytes;
  }
}
