/** Longest age, in milliseconds, at which a reading still counts as one of this instant. */
const SHARED_MS = 100;

/** What was read just now, by name, for calls of the same time to share. */
export class ShortMemory<T> {
  readonly #entries = new Map<string, { atMs: number; value: T }>();
  readonly #now: () => number;

  /** `now` in milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Undefined for what is not of this instant. */
  get(name: string): T | undefined {
    const known = this.#entries.get(name);
    return known && this.#isOfNow(known) ? known.value : undefined;
  }

  keep(name: string, value: T): void {
    this.#entries.set(name, { atMs: this.#now(), value });
  }

  /** What is kept of this instant, else what `make` answers, which then is. */
  recall(name: string, make: () => T): T {
    const known = this.get(name);
    if (known !== undefined) return known;
    const value = make();
    this.keep(name, value);
    return value;
  }

  forgetOld(): void {
    for (const [name, entry] of this.#entries) if (!this.#isOfNow(entry)) this.#entries.delete(name);
  }

  #isOfNow({ atMs }: { atMs: number }): boolean {
    return this.#now() - atMs < SHARED_MS;
  }
}
