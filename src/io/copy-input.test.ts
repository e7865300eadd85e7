import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

import { makeFifo } from '../host/fifo.ts';
import { fifoDirectory } from '../host/testing/fifo-directory.ts';
import { copyInput, openInput } from './copy-input.ts';

const root = fifoDirectory('input');
const path = join(root, 'in');
makeFifo(path);
const never = new AbortController().signal;

/** A process that reads the FIFO, and our writing end of it. */
async function reader(command = 'exec cat') {
  const child = spawn('/bin/sh', ['-c', `exec < ${path}; ${command}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const sink = await openInput(path, never);
  if (!sink) throw new Error('the FIFO has a reader');
  return { child, sink, output: buffer(child.stdout) };
}

test('all arrives, then the end of it, with a farewell', async () => {
  const { sink, output } = await reader();
  const source = Readable.from([Buffer.alloc(20_000_000, 'a'), Buffer.from('b')]);
  expect(await copyInput(source, sink, { farewell: '\x04', signal: never })).toBe(true);
  const got = await output;
  expect([got.length, got.subarray(-3).toString()]).toEqual([20_000_002, 'ab\x04']);
});

test('a source that has ended, or was destroyed, is an end', async () => {
  const ended = Readable.from([]);
  await text(ended);
  for (const source of [ended, new PassThrough().destroy()]) {
    const { sink, output } = await reader();
    expect(await copyInput(source, sink, { farewell: '', signal: never })).toBe(true);
    expect((await output).length).toBe(0);
  }
});

test('a source that is destroyed meanwhile is an end', async () => {
  const { sink, output } = await reader();
  const source = new PassThrough();
  source.write('abc');
  const copied = copyInput(source, sink, { farewell: '', signal: never });
  await expect.poll(() => sink.bytesWritten).toBe(3);
  source.destroy(new Error('gone'));
  expect(await copied).toBe(true);
  expect((await output).toString()).toBe('abc');
});

test('a process that reads no more leaves the source open, and drained', async () => {
  const { sink } = await reader('exec head -c 1');
  const source = new PassThrough();
  const copied = copyInput(source, sink, { farewell: '', signal: never });
  source.write('abc');
  const more = setInterval(() => source.write('more'), 10);
  expect(await copied).toBe(false);
  clearInterval(more);
  expect(source.destroyed).toBe(false);
  source.end(Buffer.alloc(1_000_000));
  await once(source, 'end');
});

test('the signal ends it although nothing moves', async () => {
  const { child, sink } = await reader('exec sleep 60');
  const stop = new AbortController();
  const source = new PassThrough();
  const copied = copyInput(source, sink, { farewell: '', signal: stop.signal });
  source.write(Buffer.alloc(3_000_000));
  stop.abort();
  expect(await copied).toBe(false);
  child.kill();
});

test('a FIFO is opened when it gets a reader, and not after the signal', async () => {
  expect(await openInput(path, AbortSignal.abort())).toBeNull();
  const opening = openInput(path, never);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const sink = await opening;
  expect(sink).not.toBeNull();
  sink?.destroy();
  closeSync(fd);
});
