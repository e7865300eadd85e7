import { expect, test } from 'vitest';
import { createArrivals } from './arrivals.ts';

test('a layer brings those above it along, each once', async () => {
  const fetched: string[] = [];
  const arrivals = createArrivals(['a', 'b', 'c', 'd'], (name) => {
    fetched.push(name);
    return Promise.resolve();
  });
  await arrivals.layer(2);
  expect(fetched).toEqual(['c', 'd']);
  await arrivals.layer(1);
  await arrivals.layer(3);
  expect(fetched).toEqual(['c', 'd', 'b']);
});

test('a failure reaches who waits for the layer, and nobody else', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let over = false;
  const arrivals = createArrivals(['a', 'b'], async (name) => {
    if (name === 'b') throw new Error('b broke');
    await promise;
    over = true;
  });
  const first = arrivals.layer(0);
  await expect(arrivals.layer(1)).rejects.toThrow('b broke');
  resolve();
  await arrivals.idle();
  expect(over).toBe(true);
  await first;
});
