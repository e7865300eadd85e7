import { MAX_TIMER_MS } from '../lib/time.ts';

/** Those who wait for containers to exit: StopContainer, RemoveContainer, StopPodSandbox. */
export class ExitWaiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Resolves at the next `exited(id)`, or false after `ms`, or rejects with the signal's reason. */
  async next(id: string, ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const wake = () => resolve(true);
    const abort = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    const timer = setTimeout(() => resolve(false), Math.min(ms, MAX_TIMER_MS));
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(wake));
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      waiting.delete(wake);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    }
  }

  exited(id: string): void {
    for (const wake of this.#waiting.get(id) ?? []) wake();
  }
}
