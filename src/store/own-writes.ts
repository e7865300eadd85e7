/**
 * Tells events of what we wrote ourselves from those that bring news. Each write of a name brings one event,
 * which may come before its answer. While others write the same name, it does not matter whose event is taken
 * for ours: as many are left as they wrote, and the last of those comes after everything.
 */
export class OwnWrites {
  #writes: OwnWrite[] = [];
  readonly #now: () => number;

  /** `now` in milliseconds, from any start. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Before the name is written. */
  begin(name: string): OwnWrite {
    const write = { name, told: false, overtaken: false, until: Number.POSITIVE_INFINITY };
    this.#writes.push(write);
    return write;
  }

  /** After it was written. Its answer is worth nothing if others came in between: then `overtaken` is true. */
  succeeded(write: OwnWrite): void {
    if (write.told) this.#drop(write);
    // An event that is lost must not have a later one taken for it.
    else write.until = this.#now() + EVENT_MS;
  }

  /** It may have been written or not. True if an event was taken for its own. */
  failed(write: OwnWrite): boolean {
    this.#drop(write);
    return write.told;
  }

  /** Whether an event that comes now is of a write of ours. */
  takes(name: string): boolean {
    const now = this.#now();
    this.#writes = this.#writes.filter(({ until }) => until > now);
    const all = this.#writes.filter((write) => write.name === name);
    const own = all.find(({ told }) => !told);
    if (own === undefined) {
      for (const write of all) write.overtaken = true;
      return false;
    }
    own.told = true;
    if (own.until !== Number.POSITIVE_INFINITY) this.#drop(own);
    return true;
  }

  /** Events may have been lost, and everything is read anew. */
  reset(): void {
    for (const write of this.#writes) write.overtaken = true;
    this.#writes = [];
  }

  #drop(write: OwnWrite): void {
    this.#writes = this.#writes.filter((other) => other !== write);
  }
}

/** A write that has begun. */
export interface OwnWrite {
  readonly name: string;
  /** Whether its event has come. */
  told: boolean;
  overtaken: boolean;
  /** When its event is not waited for any more; infinity while it is under way. */
  until: number;
}

/** An event comes within moments of the write, in milliseconds. */
const EVENT_MS = 5_000;
