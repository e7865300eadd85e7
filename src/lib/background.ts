import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** How long disposing waits, in milliseconds. What is cut off then is for the next start to finish. */
const WAIT_MS = 5_000;

/** Owns the work that no answer waits for: what fails of it is logged, and a daemon that stops waits for it. */
export class Background implements AsyncDisposable {
  readonly #running = new Set<Promise<void>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Takes work that runs already. `fields` say in the log what it is about. */
  own(work: Promise<unknown>, fields: Readonly<Record<string, unknown>>): void {
    const owned = work
      .catch((err: unknown) => this.#log.error({ err, ...fields }, 'work in the background failed'))
      .then(() => void this.#running.delete(owned));
    this.#running.add(owned);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = new AbortController();
    const late = sleep(WAIT_MS, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#running), late]);
    timer.abort();
    const count = this.#running.size;
    if (count > 0) this.#log.warn({ count }, 'work in the background is left to the next start');
  }
}
