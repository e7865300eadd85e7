/** What a broadcast holds for those who read slower than it sends. */
export interface BroadcastLimits {
  /** Items that wait for one subscriber, and items that wait for the first one to come. */
  readonly capacity: number;
  /** How long an item waits while nobody is subscribed, in milliseconds. */
  readonly keepMs: number;
}

interface Entry<T> {
  readonly item: T;
  /** By the clock of `performance.now()`. */
  readonly at: number;
}

interface Inbox<T> {
  entries: Entry<T>[];
  /** Items were lost and the reader has not caught up yet: a burst is told of once. */
  overflows: boolean;
  wake: () => void;
}

/**
 * Sends each item to all who are subscribed, in order. One who reads too slowly loses his own oldest items,
 * since the newest tell most. What is sent while nobody is subscribed waits for the next who is, as does
 * what the last one left unread: a client that connects anew misses nothing.
 */
export class Broadcast<T> {
  readonly #limits: BroadcastLimits;
  readonly #onOverflow: () => void;
  readonly #inboxes = new Set<Inbox<T>>();
  #waiting: Entry<T>[] = [];
  #lost = 0;
  #closed = false;

  /** @param onOverflow told when a subscriber begins to lose items, once until he has caught up. */
  constructor(limits: BroadcastLimits, onOverflow: () => void) {
    this.#limits = limits;
    this.#onOverflow = onOverflow;
  }

  /** How many items subscribers have lost, all together. */
  get lost(): number {
    return this.#lost;
  }

  send(item: T): void {
    const entry = { item, at: performance.now() };
    if (this.#inboxes.size === 0) {
      // Looked through each time: where nobody ever subscribes, nobody else would let go of them.
      this.#waiting = this.#takeWaiting().concat(entry).slice(-this.#limits.capacity);
    }
    for (const inbox of this.#inboxes) this.#deliver(inbox, entry);
  }

  /** Ends with the signal's reason, or when the broadcast is closed. Listens from the first `next()` on. */
  async *subscribe(signal: AbortSignal): AsyncGenerator<T> {
    signal.throwIfAborted();
    const inbox: Inbox<T> = { entries: this.#takeWaiting(), overflows: false, wake: () => {} };
    this.#inboxes.add(inbox);
    const abort = () => inbox.wake();
    signal.addEventListener('abort', abort, { once: true });
    // Handed out, and not delivered before the reader asks for the next one.
    let handed: Entry<T>[] = [];
    try {
      for (;;) {
        while (inbox.entries.length > 0) {
          handed = inbox.entries.splice(0, 1);
          for (const { item } of handed) yield item;
          handed = [];
          signal.throwIfAborted();
        }
        inbox.overflows = false;
        if (this.#closed) return;
        await this.#news(inbox);
        signal.throwIfAborted();
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.#inboxes.delete(inbox);
      if (this.#inboxes.size === 0) this.#waiting = [...handed, ...inbox.entries];
    }
  }

  /** Ends all subscriptions, those to come as well, after what they have not read yet. */
  close(): void {
    this.#closed = true;
    for (const inbox of this.#inboxes) inbox.wake();
  }

  async #news(inbox: Inbox<T>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    inbox.wake = resolve;
    await promise;
  }

  #deliver(inbox: Inbox<T>, entry: Entry<T>): void {
    inbox.entries.push(entry);
    if (inbox.entries.length > this.#limits.capacity) {
      inbox.entries.shift();
      this.#lost += 1;
      if (!inbox.overflows) this.#onOverflow();
      inbox.overflows = true;
    }
    inbox.wake();
  }

  #takeWaiting(): Entry<T>[] {
    const oldest = performance.now() - this.#limits.keepMs;
    const waiting = this.#waiting.filter(({ at }) => at >= oldest);
    this.#waiting = [];
    return waiting;
  }
}
