import { span } from '../lib/trace.ts';

/** Runs a task when there is room for it. The signal ends the wait alone: a task that runs goes on. */
export type Slots = <T>(task: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** Lets at most `limit` tasks run at a time; the others wait in order. */
export function createSlots(limit: number): Slots {
  let waiting: (() => void)[] = [];
  let free = limit;

  const wait = async (signal: AbortSignal | undefined): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      waiting = waiting.filter((other) => other !== resolve);
      reject(signal?.reason);
    };
    waiting.push(resolve);
    signal?.addEventListener('abort', leave, { once: true });
    await promise.finally(() => signal?.removeEventListener('abort', leave));
  };

  return async (task, signal) => {
    signal?.throwIfAborted();
    if (free > 0) free--;
    else await span('wait', 'download slot', () => wait(signal));
    try {
      return await task();
    } finally {
      // A slot goes from hand to hand, so that nobody can slip in before the one who waits.
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
