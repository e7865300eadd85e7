import { randomBytes } from 'node:crypto';
import { Fault } from '../lib/fault.ts';

/** How long a URL waits for its client, in milliseconds. */
const LIFETIME_MS = 60_000;

/** How many may wait at a time, so that requests which nobody follows up cost bounded memory. */
const MAX_WAITING = 1_000;

/** 32 random bytes in base64url. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** What wishes are kept under: random names, each good for one session within a minute. */
export class Tokens<T> {
  // In order of insertion, which is the order of expiry: all live equally long.
  readonly #waiting = new Map<string, { value: T; expiresAt: number }>();
  readonly #now: () => number;

  /** The clock is in milliseconds and never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Throws `resource_exhausted` while too many wait. */
  insert(value: T): string {
    this.#forgetExpired();
    if (this.#waiting.size >= MAX_WAITING) {
      throw new Fault(
        'resource_exhausted',
        `${MAX_WAITING} streaming URLs wait for their client; one is freed at the latest in ${LIFETIME_MS / 1000} s`,
      );
    }
    const token = randomBytes(32).toString('base64url');
    this.#waiting.set(token, { value, expiresAt: this.#now() + LIFETIME_MS });
    return token;
  }

  /** Null if the token was used, has expired or never was. Leaves it usable. */
  peek(token: string): T | null {
    if (!TOKEN.test(token)) return null;
    this.#forgetExpired();
    return this.#waiting.get(token)?.value ?? null;
  }

  /** Uses the token up. */
  remove(token: string): void {
    this.#waiting.delete(token);
  }

  #forgetExpired(): void {
    const now = this.#now();
    for (const [token, { expiresAt }] of this.#waiting) {
      if (expiresAt > now) return;
      this.#waiting.delete(token);
    }
  }
}
