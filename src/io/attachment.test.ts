import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { MessageChannel } from 'node:worker_threads';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { makeFifo, openFifoWriter } from '../host/fifo.ts';
import { receiveOutput } from './attachment.ts';
import { collectHead } from './collect.ts';
import type { LogPump } from './log-pump.ts';
import { startLogPump } from './log-pump.ts';

const root = mkdtempSync(join(tmpdir(), 'cristal-attach-'));
let pump: LogPump;
let number = 0;

beforeAll(async () => {
  pump = await startLogPump(pino({ level: 'silent' }));
});
afterAll(async () => {
  await pump[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

async function container() {
  const id = `c${++number}`;
  const target = {
    id,
    stdout: join(root, `${id}o`),
    stderr: join(root, `${id}e`),
    logPath: join(root, `${id}l`),
  };
  makeFifo(target.stdout);
  makeFifo(target.stderr);
  await pump.open({ ...target, tty: false, maxLineBytes: 16_384 });
  return target;
}

const stuck = () => new Writable({ write() {} });

test('gets what comes from now on, of what it wants, until the end', async () => {
  const { id, stdout, stderr, logPath } = await container();
  const out = openFifoWriter(stdout);
  const err = openFifoWriter(stderr);
  writeSync(out, 'before\n');
  await expect.poll(() => statSync(logPath).size).toBeGreaterThan(0);
  const both = { stdout: collectHead(1000), stderr: collectHead(1000) };
  const one = collectHead(1000);
  const first = await pump.attach(id, { stdout: both.stdout.sink, stderr: both.stderr.sink });
  const second = await pump.attach(id, { stdout: null, stderr: one.sink });
  writeSync(out, 'now\n');
  writeSync(err, 'oops\n');
  closeSync(out);
  closeSync(err);
  await Promise.all([first.ended, second.ended]);
  expect([both.stdout, both.stderr, one].map((got) => got.take().toString())).toEqual([
    'now\n',
    'oops\n',
    'oops\n',
  ]);
  expect([both.stdout.sink.writable, one.sink.listenerCount('error')]).toEqual([true, 0]);

  const late = await pump.attach(id, { stdout: one.sink, stderr: null });
  await late.ended;
  await pump.close(id);
  await expect(pump.attach(id, { stdout: one.sink, stderr: null })).rejects.toMatchObject({
    code: 'failed_precondition',
  });
});

test('a sink that is stuck is let go, one that fails is left out, and the rest get all', async () => {
  const { id, stdout, logPath } = await container();
  const good = collectHead(100_000_000);
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('gone')) });
  const slow = await pump.attach(id, { stdout: stuck(), stderr: null });
  const failed = await pump.attach(id, { stdout: broken, stderr: null });
  const whole = await pump.attach(id, { stdout: good.sink, stderr: null });
  const seq = spawn('/bin/sh', ['-c', `exec seq 1 4000000 > ${stdout}`]);
  await once(seq, 'exit');
  await expect(slow.ended).rejects.toMatchObject({
    code: 'resource_exhausted',
    message: `attach to ${id} fell 16 MiB behind and was ended`,
  });
  closeSync(openFifoWriter((await container()).stdout)); // another container is not affected
  await expect.poll(() => good.take().length, { timeout: 5000 }).toBe(30_888_896);
  await pump.close(id);
  await Promise.all([whole.ended, failed.ended]);
  expect(statSync(logPath).size).toBe(30_888_896 + 4_000_000 * 40);
});

test('what is stuck when the container ends is waited for, and disposing detaches', async () => {
  const { id, stdout } = await container();
  const held: (() => void)[] = [];
  const sink = new Writable({ write: (_chunk, _encoding, done) => void held.push(done) });
  const one = await pump.attach(id, { stdout: sink, stderr: null });
  const other = await pump.attach(id, { stdout: stuck(), stderr: null });
  const out = openFifoWriter(stdout);
  writeSync(out, 'last');
  closeSync(out);
  await expect.poll(() => held.length).toBe(1);
  await pump.close(id);
  let ended = false;
  const end = one.ended.then(() => (ended = true));
  other[Symbol.dispose]();
  await other.ended;
  expect(ended).toBe(false);
  held[0]?.();
  await end;
});

test('the end of the thread is an error', async () => {
  const { port1, port2 } = new MessageChannel();
  const attachment = receiveOutput('c', port1, { stdout: stuck(), stderr: null });
  port2.close();
  await expect(attachment.ended).rejects.toMatchObject({ code: 'unavailable' });
});
