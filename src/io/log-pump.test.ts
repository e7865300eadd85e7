import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { makeFifo, openFifoWriter } from '../host/fifo.ts';
import { mountTmpfs, unmount } from '../host/mounts.ts';
import type { LogPump } from './log-pump.ts';
import { startLogPump } from './log-pump.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
const root = mkdtempSync(join(tmpdir(), 'cristal-pump-'));
const logged: { msg: string }[] = [];
let pump: LogPump;
let number = 0;

beforeAll(async () => {
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  pump = await startLogPump(log);
});
afterAll(async () => {
  await pump[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  logged.length = 0;
});
afterEach(() => {
  // Whatever a test opened is closed again: no FIFO and no log of ours is still open.
  expect(openBelow(root)).toEqual([]);
});

function openBelow(dir: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(dir) ? [target] : [];
    } catch {
      return []; // the descriptor of the listing itself
    }
  });
}

/** FIFOs and a log path of a new container, opened in the pump. */
async function container({ tty = false, maxLineBytes = 16_384, logPath = '' } = {}) {
  const id = `c${++number}`;
  const dir = join(root, id);
  mkdirSync(dir);
  const stdout = join(dir, 'stdout');
  const stderr = tty ? '' : join(dir, 'stderr');
  makeFifo(stdout);
  if (!tty) makeFifo(stderr);
  const target = { id, stdout, stderr, logPath: logPath || join(dir, 'logs', '0.log'), tty, maxLineBytes };
  await pump.open(target);
  return target;
}

/** The log as [stream, tag, text] of each line. */
function lines(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => line.slice(31));
}

test('both streams, their ends, and an unended line', async () => {
  const { id, stdout, stderr, logPath } = await container();
  const out = openFifoWriter(stdout);
  const err = openFifoWriter(stderr);
  writeSync(out, 'one\ntwo\nrest');
  writeSync(err, 'oops\n');
  expect(await pump.drained(id, 50)).toBe(false);
  closeSync(out);
  expect(await pump.drained(id, 50)).toBe(false);
  closeSync(err);
  expect(await pump.drained(id, 5000)).toBe(true);
  expect(lines(logPath).sort()).toEqual(['stderr F oops', 'stdout F one', 'stdout F two', 'stdout P rest']);
  expect(statSync(logPath).mode & 0o777).toBe(0o640);
  await pump.close(id);
  await pump.close(id);
  expect(await pump.drained(id, 50)).toBe(true);
});

test('a FIFO without a writer yet is not at its end', async () => {
  const { id, stdout, logPath } = await container({ tty: true });
  expect(await pump.drained(id, 100)).toBe(false);
  const writer = openFifoWriter(stdout);
  writeSync(writer, 'late\r\n');
  closeSync(writer);
  expect(await pump.drained(id, 5000)).toBe(true);
  expect(lines(logPath)).toEqual(['stdout F late\r']);
  await pump.close(id);
});

test('64 MiB of numbered lines arrive whole and in order, while the log is rotated', async () => {
  const { id, stdout, logPath } = await container({ tty: true });
  const count = 1_100_000; // of 64 bytes each
  const seq = spawn('/bin/sh', ['-c', `exec seq -f '%063.0f' 1 ${count} > ${stdout}`]);
  const files = [logPath];
  while (seq.exitCode === null) {
    await Promise.race([once(seq, 'exit'), new Promise((resolve) => setTimeout(resolve, 100))]);
    const rotated = `${logPath}.${files.length}`;
    renameSync(logPath, rotated);
    files.splice(-1, 0, rotated);
    await pump.reopen(id);
  }
  expect(await pump.drained(id, 10_000)).toBe(true);
  await pump.close(id);

  let next = 1;
  let bytes = 0;
  for (const file of files) {
    const text = readFileSync(file, 'latin1');
    for (let start = 0; start < text.length; start += 104) {
      const line = text.slice(start + 31, start + 104);
      if (line !== `stdout F ${String(next).padStart(63, '0')}\n`)
        expect(line).toBe(`line ${next} in ${file}`);
      next++;
      bytes += 64;
    }
    rmSync(file);
  }
  expect([next - 1, bytes > 64 * 1024 * 1024, files.length > 2]).toEqual([count, true, true]);
}, 30_000);

test('a stream that never ends holds up no other, and closes at once', async () => {
  const stuck = await container({ tty: true });
  const writer = openFifoWriter(stuck.stdout);
  writeSync(writer, 'unended');
  const other = await container({ tty: true });
  const otherWriter = openFifoWriter(other.stdout);
  writeSync(otherWriter, 'fine\n');
  closeSync(otherWriter);
  expect(await pump.drained(other.id, 5000)).toBe(true);
  await expect.poll(() => pump.drained(stuck.id, 20)).toBe(false);
  await pump.close(stuck.id);
  expect(lines(stuck.logPath)).toEqual(['stdout P unended']);
  closeSync(writer);
  await pump.close(other.id);
});

test('no log path drops the output, without holding up its writer', async () => {
  const { id, stdout } = await container({ tty: true, logPath: '/dev/null' });
  const target = {
    id: `${id}-quiet`,
    stdout: `${stdout}2`,
    stderr: '',
    logPath: '',
    tty: true,
    maxLineBytes: 10,
  };
  makeFifo(target.stdout);
  await pump.open(target);
  const seq = spawn('/bin/sh', ['-c', `exec head -c 8000000 /dev/zero > ${target.stdout}`]);
  expect(await once(seq, 'exit')).toEqual([0, null]);
  expect(await pump.drained(target.id, 5000)).toBe(true);
  await pump.close(target.id);
  await pump.close(id);
});

test('after a restart the pump goes on with what the FIFO holds', async () => {
  const target = await container({ tty: true });
  // As the shim does: its own reading end keeps the FIFO alive while nobody else reads.
  const shim = openSync(target.stdout, constants.O_RDWR);
  writeSync(shim, 'before\n');
  await expect.poll(() => lines(target.logPath)).toEqual(['stdout F before']);
  await pump.close(target.id);
  writeSync(shim, 'meanwhile\n');
  await pump.open(target);
  closeSync(shim);
  expect(await pump.drained(target.id, 5000)).toBe(true);
  expect(lines(target.logPath)).toEqual(['stdout F before', 'stdout F meanwhile']);
  await pump.close(target.id);
});

test('a failed open leaves nothing, and the id free', async () => {
  const target = await container();
  await expect(pump.open(target)).rejects.toMatchObject({ code: 'already_exists' });
  await pump.close(target.id);
  await expect(pump.open({ ...target, stderr: `${target.stderr}-none` })).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('stderr-none'),
  });
  expect(openBelow(root)).toEqual([]);
  await expect(pump.open({ ...target, logPath: join(target.stdout, 'x') })).rejects.toThrow('make directory');
  await pump.open(target);
  await pump.close(target.id);
  await expect(pump.reopen(target.id)).rejects.toMatchObject({ code: 'failed_precondition' });
});

asRoot('a full disk drops lines, says so, and holds up no writer; then goes on in a new line', async () => {
  const disk = join(root, 'disk');
  mkdirSync(disk);
  await mountTmpfs(disk, { sizeBytes: 32 * 1024 * 1024, mode: 0o755 });
  const logPath = join(disk, '0.log');
  const { id, stdout } = await container({ tty: true, logPath });
  const filler = join(disk, 'filler');
  writeFileSync(filler, Buffer.alloc(32 * 1024 * 1024 - 65_536));

  const seq = spawn('/bin/sh', ['-c', `exec seq 1 400000 > ${stdout}`]);
  const shim = openSync(stdout, constants.O_RDWR);
  expect(await once(seq, 'exit')).toEqual([0, null]);
  await expect.poll(() => logged.map(({ msg }) => msg)).toContain('container log cannot be written');
  rmSync(filler);
  await expect
    .poll(() => {
      writeSync(shim, 'again\n');
      return lines(logPath).at(-1);
    })
    .toBe('stdout F again');
  expect(logged.map(({ msg }) => msg)).toEqual([
    'container log cannot be written',
    'container log is written again',
  ]);
  closeSync(shim);
  expect(await pump.drained(id, 5000)).toBe(true);
  await pump.close(id);
  await unmount(disk);
  rmSync(disk, { recursive: true });
  expect(existsSync(disk)).toBe(false);
});
