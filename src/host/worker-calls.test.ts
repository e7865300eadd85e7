import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pino from 'pino';
import { afterAll, expect, test } from 'vitest';

import { WorkerCalls } from './worker-calls.ts';

const dir = mkdtempSync(join(tmpdir(), 'cristal-worker-'));
afterAll(() => rmSync(dir, { recursive: true }));

type TestCalls = {
  double: (value: number) => number;
  count: (none: null) => number;
  fail: (code: string) => never;
  spoil: (none: null) => never;
  hang: (none: null) => Promise<never>;
};

const file = join(dir, 'worker.mjs');
const source = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
writeFileSync(
  file,
  `import { parentPort } from 'node:worker_threads';
import { Fault } from ${source('../lib/fault.ts')};
import { ThreadSpoiled, serveCalls } from ${source('./worker-calls.ts')};
let calls = 0;
serveCalls(parentPort, {
  double: (value) => value * 2,
  count: () => ++calls,
  fail: (code) => { throw new Fault(code, 'on purpose'); },
  spoil: () => { throw new ThreadSpoiled('internal', 'spoiled'); },
  hang: () => new Promise(() => setInterval(() => {}, 1000)),
});`,
);

function start(onLost = () => {}): WorkerCalls<TestCalls> {
  return new WorkerCalls<TestCalls>(pathToFileURL(file), pino({ level: 'silent' }), { onLost });
}

test('answers and faults come back to their own calls', async () => {
  await using calls = start();
  const results = await Promise.allSettled([calls.call('double', 4), calls.call('fail', 'not_found')]);
  expect(results).toMatchObject([
    { status: 'fulfilled', value: 8 },
    { status: 'rejected', reason: { code: 'not_found', message: 'on purpose' } },
  ]);
});

test('a spoiled thread answers, ends, and is replaced at the next call', async () => {
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  await using calls = start(resolve);
  expect(await calls.call('count', null)).toBe(1);
  await expect(calls.call('spoil', null)).rejects.toMatchObject({ message: 'spoiled' });
  await lost;
  expect(await calls.call('count', null)).toBe(1);
});

test('calls in a thread that is stopped fail, and so do later ones', async () => {
  const calls = start();
  await calls.call('count', null);
  const hanging = expect(calls.call('hang', null)).rejects.toMatchObject({
    code: 'unavailable',
  });
  await calls[Symbol.asyncDispose]();
  await hanging;
  await expect(calls.call('double', 1)).rejects.toMatchObject({ code: 'unavailable' });
});
