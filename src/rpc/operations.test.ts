import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Call } from '../lib/call.ts';
import { Operations } from './operations.ts';

const call = (signal: AbortSignal = new AbortController().signal): Call => ({
  rpc: 'Test',
  signal,
  log: pino({ level: 'silent' }),
});
const key = { name: 'Run web', fingerprint: 'a' };

test('a repeated call joins the one that runs, and both get its result', async () => {
  const operations = new Operations();
  let runs = 0;
  const gate = Promise.withResolvers<string>();
  const work = () => ((runs += 1), gate.promise);
  const first = operations.run(key, call(), work);
  const second = operations.run(key, call(), work);
  gate.resolve('id');
  expect(await Promise.all([first, second])).toEqual(['id', 'id']);
  expect(runs).toBe(1);
  await operations.run(key, call(), async () => (runs += 1));
  expect(runs).toBe(2);
});

test('another config under the same name is refused while the first runs', async () => {
  const operations = new Operations();
  const gate = Promise.withResolvers<void>();
  const first = operations.run(key, call(), () => gate.promise);
  await expect(operations.run({ ...key, fingerprint: 'b' }, call(), async () => {})).rejects.toMatchObject({
    code: 'already_exists',
    message: 'Run web: another call with a different config is running',
  });
  gate.resolve();
  await first;
});

test('a caller that leaves is told the stage, the work goes on, and a later call gets its result', async () => {
  const operations = new Operations();
  const gate = Promise.withResolvers<string>();
  const work = async ({ stage }: { stage: (name: string) => void }) => {
    stage('CNI ADD');
    return await gate.promise;
  };
  await expect(operations.run(key, call(AbortSignal.timeout(20)), work)).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: expect.stringMatching(/^Run web: still at stage "CNI ADD" for \d+\.\d s, \d+\.\d s in all/),
  });
  const gone = new AbortController();
  const cancelled = operations.run(key, call(gone.signal), work);
  gone.abort();
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
  const again = operations.run(key, call(), work);
  gate.resolve('id');
  expect(await again).toBe('id');
});

test('a failure reaches all who wait, and the next call starts anew', async () => {
  const operations = new Operations();
  const gate = Promise.withResolvers<string>();
  const both = [
    operations.run(key, call(), () => gate.promise),
    operations.run(key, call(), () => gate.promise),
  ];
  gate.reject(new Error('no IP left'));
  for (const result of both) await expect(result).rejects.toThrow('no IP left');
  await expect(operations.run(key, call(), async () => 'second')).resolves.toBe('second');
  await operations.idle();
  await sleep(0);
});
