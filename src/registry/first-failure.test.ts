import { expect, test } from 'vitest';
import { createFirstFailure } from './first-failure.ts';

/** Work that ends with the signal, in words of its own. */
function until(signal: AbortSignal, words: string): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(new Error(words)));
  return promise;
}

test('the first failure ends all, and is what each of them tells', async () => {
  const { signal, step } = createFirstFailure(new AbortController().signal);
  const waiting = step(until(signal, 'second'));
  await expect(step(Promise.reject(new Error('first')))).rejects.toThrow('first');
  await expect(waiting).rejects.toThrow('first');
  expect(signal.aborted).toBe(true);
});

test('an end from outside is told as that', async () => {
  const outside = new AbortController();
  const { signal, step } = createFirstFailure(outside.signal);
  const waiting = step(until(signal, 'call cancelled'));
  outside.abort(new Error('cristal is stopping'));
  await expect(waiting).rejects.toThrow('cristal is stopping');
});

test('what succeeds ends nothing', async () => {
  const { signal, step } = createFirstFailure(new AbortController().signal);
  expect(await step(Promise.resolve(7))).toBe(7);
  expect(signal.aborted).toBe(false);
});
