import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Tracer } from '../lib/trace.ts';
import { giveBackAtRest } from './rest.ts';

const MIB = 1024 * 1024;

let tracer: Tracer;
let resident: number;
let given: number;
let watching: Disposable;

beforeEach(() => {
  vi.useFakeTimers();
  tracer = new Tracer();
  resident = 100 * MIB;
  given = 0;
  watching = giveBackAtRest({
    tracer,
    log: pino({ level: 'silent' }),
    residentBytes: () => resident,
    giveBack: async () => {
      given += 1;
      resident = 90 * MIB;
    },
  });
});
afterEach(() => {
  watching[Symbol.dispose]();
  vi.useRealTimers();
});

const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1_000);
const call = (quiet: boolean): Promise<void> => tracer.run({ kind: 'rpc', name: 'Test', quiet }, () => {});

test('after the start, once it is over, and then only what has grown', async () => {
  await pass(10);
  expect(given).toBe(0);
  await pass(10);
  expect(given).toBe(1);
  await pass(600);
  expect(given).toBe(1);
  resident = 103 * MIB;
  await pass(10);
  expect(given).toBe(2);
});

test('not while something changes, or runs that will', async () => {
  for (let i = 0; i < 20; i += 1) {
    await call(false);
    await pass(10);
  }
  expect(given).toBe(0);
  const { promise, resolve } = Promise.withResolvers<void>();
  const pull = tracer.run({ kind: 'rpc', name: 'PullImage' }, () => promise);
  await pass(60);
  expect(given).toBe(0);
  resolve();
  await pull;
  await pass(20);
  expect(given).toBe(1);
});

test('questions are no work', async () => {
  for (let i = 0; i < 2; i += 1) {
    await call(true);
    await pass(10);
  }
  expect(given).toBe(1);
});

test('and never again when disposed', async () => {
  watching[Symbol.dispose]();
  await pass(600);
  expect(given).toBe(0);
});
