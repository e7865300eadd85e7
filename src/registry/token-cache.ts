import { Joins } from './joins.ts';

/** An Authorization header, and for how long it is good, in milliseconds. */
export interface Pass {
  header: string;
  lifeMs: number;
}

/** Authorization headers that several pulls use. They are secrets, so this is never logged. */
export class TokenCache {
  readonly #kept = new Map<string, { header: string; until: number }>();
  readonly #renewals = new Joins<string>('token');
  readonly #now: () => number;

  /** `now` in milliseconds, from any start. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get(key: string): string | null {
    const kept = this.#kept.get(key);
    return kept !== undefined && kept.until > this.#now() ? kept.header : null;
  }

  /** Fetches a new one, once for all who ask at the same time. The signal ends only the asker's wait. */
  renew(key: string, fetch: () => Promise<Pass>, signal: AbortSignal): Promise<string> {
    const start = async () => {
      const { header, lifeMs } = await fetch();
      this.#forgetOld();
      this.#kept.set(key, { header, until: this.#now() + lifeMs });
      return header;
    };
    return this.#renewals.run(key, start, signal);
  }

  #forgetOld(): void {
    for (const [key, { until }] of this.#kept) if (until <= this.#now()) this.#kept.delete(key);
  }
}
