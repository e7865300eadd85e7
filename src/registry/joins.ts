import type { Begun } from '../lib/trace.ts';
import { awaitBranch, branch } from '../lib/trace.ts';

/** Runs work once for all who ask for the same while it runs. The asker's signal ends only its own wait. */
export class Joins<T> {
  readonly #kind: string;
  readonly #running = new Map<string, Begun<T>>();

  /** @param kind names the work in traces. */
  constructor(kind: string) {
    this.#kind = kind;
  }

  async run(key: string, start: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const running = this.#running.get(key) ?? this.#start(key, start);
    signal.throwIfAborted();
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await awaitBranch(running.tree, () => Promise.race([running.result, left]));
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** Resolves when nothing runs. Never throws: every asker has heard of its own failure. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map(({ result }) => result));
  }

  #start(key: string, start: () => Promise<T>): Begun<T> {
    const { tree, result } = branch(this.#kind, this.#kind, start);
    const running = { tree, result: result.finally(() => this.#running.delete(key)) };
    // If all askers have left, its failure is nobody's: whoever starts it logs it.
    running.result.catch(() => {});
    this.#running.set(key, running);
    return running;
  }
}
