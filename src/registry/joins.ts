/** Runs work once for all who ask for the same while it runs. The asker's signal ends only its own wait. */
export class Joins<T> {
  readonly #running = new Map<string, Promise<T>>();

  async run(key: string, start: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const running = this.#running.get(key) ?? this.#start(key, start);
    signal.throwIfAborted();
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([running, left]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** Resolves when nothing runs. Never throws: every asker has heard of its own failure. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  #start(key: string, start: () => Promise<T>): Promise<T> {
    const running = start().finally(() => this.#running.delete(key));
    // If all askers have left, its failure is nobody's: whoever starts it logs it.
    running.catch(() => {});
    this.#running.set(key, running);
    return running;
  }
}
