/**
 * Runs steps side by side and waits for every one of them, also after a failure: a rollback must not
 * start while a step is still acting. Then throws the first step's error, in the order given.
 */
export async function allSettled<T extends readonly unknown[]>(
  steps: {
    readonly [K in keyof T]: Promise<T[K]>;
  },
): Promise<T> {
  const results = await Promise.allSettled(steps);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
