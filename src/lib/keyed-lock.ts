import { span } from './trace.ts';

interface Waiter {
  shared: boolean;
  wake: () => void;
}

interface Lock {
  /** Number of shared holders, or -1 while one holder has it for itself. */
  holders: number;
  queue: Waiter[];
}

/**
 * Locks by key, first come first served: many holders may `share` a key, or one may `take` it.
 * Use with `using`, so that every way out lets go.
 */
export class KeyedLock {
  readonly #locks = new Map<string, Lock>();

  /** Holds the key alone. Rejects with the signal's reason when it fires while waiting. */
  take(key: string, signal?: AbortSignal): Promise<Disposable> {
    return this.#acquire(key, false, signal);
  }

  /** Holds the key together with other sharers. */
  share(key: string, signal?: AbortSignal): Promise<Disposable> {
    return this.#acquire(key, true, signal);
  }

  async #acquire(key: string, shared: boolean, signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    const lock = this.#locks.get(key) ?? { holders: 0, queue: [] };
    this.#locks.set(key, lock);
    if (lock.queue.length > 0 || !free(lock, shared)) {
      await span('lock', key.split('/', 1)[0] ?? '', (own) => {
        own?.set('key', key);
        return this.#wait(key, lock, shared, signal);
      });
    } else hold(lock, shared);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        lock.holders -= shared ? 1 : -1;
        this.#wakeNext(key, lock);
      },
    };
  }

  #wait(key: string, lock: Lock, shared: boolean, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { shared, wake: resolve };
    lock.queue.push(waiter);
    const giveUp = () => {
      lock.queue = lock.queue.filter((other) => other !== waiter);
      this.#wakeNext(key, lock);
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    waiter.wake = () => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    };
    return promise;
  }

  #wakeNext(key: string, lock: Lock): void {
    for (let next = lock.queue[0]; next && free(lock, next.shared); next = lock.queue[0]) {
      lock.queue.shift();
      hold(lock, next.shared);
      next.wake();
    }
    if (lock.holders === 0 && lock.queue.length === 0) this.#locks.delete(key);
  }
}

function free(lock: Lock, shared: boolean): boolean {
  return lock.holders === 0 || (shared && lock.holders > 0);
}

function hold(lock: Lock, shared: boolean): void {
  lock.holders += shared ? 1 : -1;
}
