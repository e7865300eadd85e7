import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { runProcess } from './process.ts';

const sh = (script: string) => ({ file: '/bin/sh', args: ['-c', script], timeoutMs: 5000 });

test('input, outputs, environment and exit code', async () => {
  const result = await runProcess({ ...sh('cat; echo "$A" >&2; exit 3'), env: { A: 'b' }, stdin: 'hello' });
  expect({ ...result, stdout: result.stdout.toString(), stderr: result.stderr.toString() }).toEqual({
    code: 3,
    signal: null,
    stdout: 'hello',
    stderr: 'b\n',
  });
});

test('nothing of our environment is inherited', async () => {
  const { stdout } = await runProcess({ file: '/usr/bin/env', timeoutMs: 5000 });
  expect(stdout.toString()).toBe('');
});

test('a signal is a result', async () => {
  await expect(runProcess(sh('kill -TERM $$'))).resolves.toMatchObject({ code: null, signal: 'SIGTERM' });
});

test('a program that does not read its input is no error', async () => {
  const result = await runProcess({ ...sh('exit 0'), stdin: Buffer.alloc(4 * 1024 * 1024) });
  expect(result.code).toBe(0);
});

test('output beyond the limit is dropped, not waited for', async () => {
  const { stdout, code } = await runProcess({ ...sh('head -c 1000000 /dev/zero; exit 0'), maxOutput: 10 });
  expect([stdout.length, code]).toEqual([10, 0]);
});

test.each([0, 1, 65_536, 65_537, 3_000_000])('%i bytes go in and come out', async (length) => {
  const stdin = Buffer.alloc(length, 'abcdefg');
  const { stdout, stderr } = await runProcess({ ...sh('tee /dev/stderr'), stdin, maxOutput: 4_000_000 });
  expect([stdout.equals(stdin), stderr.equals(stdin)]).toEqual([true, true]);
});

test('no descriptor is left, however it ends', async () => {
  await runProcess(sh('true')); // sets up what stays
  const before = readdirSync('/proc/self/fd').length;
  await runProcess({ ...sh('cat >&2'), stdin: 'x' });
  await expect(runProcess({ file: '/no/such', timeoutMs: 5000 })).rejects.toThrow();
  await expect(runProcess({ ...sh('sleep 60'), timeoutMs: 10 })).rejects.toThrow();
  await runProcess({ ...sh('sleep 2 & exit 0'), maxOutput: 1 });
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});

test('a caller that goes away while the program is being started ends it', async () => {
  const abort = new AbortController();
  const running = runProcess({ ...sh('sleep 60'), signal: abort.signal });
  abort.abort();
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
});

test('a missing program is not_found', async () => {
  await expect(runProcess({ file: '/no/such', timeoutMs: 5000 })).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('/no/such'),
  });
});

test.each(['deadline_exceeded', 'cancelled'])('%s ends the program and its children', async (code) => {
  const dir = mkdtempSync(join(tmpdir(), 'cristal-run-'));
  const pids = join(dir, 'pids');
  const abort = new AbortController();
  const running = runProcess({
    ...sh(`sleep 60 & echo $! $$ > ${pids}.new; mv ${pids}.new ${pids}; wait`),
    env: { PATH: process.env['PATH'] ?? '' },
    timeoutMs: code === 'cancelled' ? 30_000 : 300,
    signal: abort.signal,
  });
  const refused = expect(running).rejects.toMatchObject({ code });
  while (!existsSync(pids)) await sleep(5);
  if (code === 'cancelled') abort.abort();
  await refused;
  for (const pid of readFileSync(pids, 'utf8').trim().split(' ')) {
    // A killed grandchild may stay a zombie until init takes it.
    while (existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '))
      await sleep(5);
  }
  rmSync(dir, { recursive: true });
});

test('a background child that keeps the output open does not hold up the result', async () => {
  const { stdout, code } = await runProcess({
    ...sh('sleep 4 & echo done'),
    env: { PATH: process.env['PATH'] ?? '' },
  });
  expect([stdout.toString(), code]).toEqual(['done\n', 0]);
});
