/** Lets at most `limit` tasks run at a time; the others wait in order. */
export function createSlots(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = limit;

  return async (task) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
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
