import { Fault } from '../lib/fault.ts';

interface Named {
  readonly id: string;
  /** Unique among the living: `<name>_<namespace>_<uid>_<attempt>` for a sandbox. */
  readonly name: string;
}

/** Told of every change, with the object before and after it; null where it was not, or is no more. */
export type OnChange<T> = (before: T | null, after: T | null) => void;

/**
 * The index in memory of one kind of object: by id, by unambiguous prefix of an id, by name.
 * Values are replaced whole and never edited, so a list is a snapshot.
 */
export class IndexById<T extends Named> {
  readonly #kind: string;
  readonly #byId = new Map<string, T>();
  readonly #idByName = new Map<string, string>();
  #onChange: OnChange<T> = () => {};

  /** @param kind names the objects in messages, e.g. `pod sandbox`. */
  constructor(kind: string) {
    this.#kind = kind;
  }

  /** Has one listener told of all that changes from now on, but for what is restored. */
  watch(onChange: OnChange<T>): void {
    this.#onChange = onChange;
  }

  put(value: T): void {
    const before = this.get(value.id);
    this.restore(value);
    this.#onChange(before, value);
  }

  /** Puts what was there before this process was, which is no change. */
  restore(value: T): void {
    this.#byId.set(value.id, Object.freeze(value));
    this.#idByName.set(value.name, value.id);
  }

  /** Replaces an object that is still there; one that was removed meanwhile stays removed. */
  update(id: string, change: Partial<T>): T | null {
    const value = this.#byId.get(id);
    if (!value) return null;
    const changed = { ...value, ...change };
    this.put(changed);
    return changed;
  }

  remove(id: string): void {
    const value = this.#byId.get(id);
    this.#byId.delete(id);
    if (!value) return;
    if (this.#idByName.get(value.name) === id) this.#idByName.delete(value.name);
    this.#onChange(value, null);
  }

  get(id: string): T | null {
    return this.#byId.get(id) ?? null;
  }

  byName(name: string): T | null {
    const id = this.#idByName.get(name);
    return id === undefined ? null : this.get(id);
  }

  /**
   * By id or by a prefix of one.
   * @throws Fault invalid_argument when the prefix is empty or fits several.
   */
  find(idOrPrefix: string): T | null {
    const exact = this.#byId.get(idOrPrefix);
    if (exact) return exact;
    if (idOrPrefix === '') throw new Fault('invalid_argument', `${this.#kind} id is required`);
    let found: T | null = null;
    for (const [id, value] of this.#byId) {
      if (!id.startsWith(idOrPrefix)) continue;
      if (found) {
        throw new Fault(
          'invalid_argument',
          `${this.#kind} id "${idOrPrefix}" is ambiguous: ${found.id}, ${id}`,
        );
      }
      found = value;
    }
    return found;
  }

  /** As `find`, for calls that cannot answer without the object. */
  mustFind(idOrPrefix: string): T {
    const found = this.find(idOrPrefix);
    if (!found) throw new Fault('not_found', `${this.#kind} "${idOrPrefix}" not found`);
    return found;
  }

  list(): T[] {
    return [...this.#byId.values()];
  }
}
