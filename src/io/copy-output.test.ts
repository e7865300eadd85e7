import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { makeFifo, openFifoWriter } from '../host/fifo.ts';
import { fifoDirectory } from '../host/testing/fifo-directory.ts';
import { collectHead } from './collect.ts';
import { copyOutput, outputDone } from './copy-output.ts';

const root = fifoDirectory('output');
const path = join(root, 'out');
makeFifo(path);
const never = new AbortController().signal;

const write = (command: string) => spawn('/bin/sh', ['-c', `exec > ${path}; ${command}`]);

/** Takes one chunk each time it is told to. */
function slowSink() {
  const taken: number[] = [];
  const waiting: (() => void)[] = [];
  const sink = new Writable({
    highWaterMark: 1000,
    write(chunk: Buffer, _, done) {
      taken.push(chunk.length);
      waiting.push(done);
    },
  });
  return { sink, taken, next: () => waiting.shift()?.() };
}

test('all arrives, and the sink stays open', async () => {
  const collector = collectHead(100_000_000);
  const { sink } = collector;
  using copy = copyOutput(path, sink);
  write('exec seq 1 1000000');
  expect(await outputDone([copy], 10_000, never)).toBe(true);
  expect(collector.take().length).toBe(6_888_896);
  expect([sink.writable, sink.listenerCount('error'), sink.listenerCount('drain')]).toEqual([true, 0, 0]);
});

test('a sink that is full holds the process', async () => {
  const { sink, taken, next } = slowSink();
  using copy = copyOutput(path, sink);
  const child = write('exec head -c 20000000 /dev/zero');
  await expect.poll(() => copy.isHeld()).toBe(true);
  await sleep(200);
  expect([child.exitCode, taken.length]).toEqual([null, 1]);
  expect(sink.writableLength).toBeLessThan(1_000_000);
  while (child.exitCode === null) {
    next();
    await sleep(1);
  }
  const done = outputDone([copy], 500, never);
  const pulling = setInterval(next, 1);
  expect(await done).toBe(true);
  clearInterval(pulling);
  expect(taken.reduce((sum, size) => sum + size, 0)).toBe(20_000_000);
});

test('waiting for the listener does not count, waiting for the process does', async () => {
  const { sink, next } = slowSink();
  using copy = copyOutput(path, sink);
  const writer = openFifoWriter(path);
  writeSync(writer, Buffer.alloc(5000));
  await expect.poll(() => copy.isHeld()).toBe(true);
  let finished: boolean | null = null;
  const done = outputDone([copy], 100, never).then((all) => (finished = all));
  await sleep(400);
  expect(finished).toBeNull();
  next();
  expect(await done).toBe(false);
  closeSync(writer);
  await copy.done;
});

test('the last write is waited for after the end', async () => {
  const { sink, next } = slowSink();
  using copy = copyOutput(path, sink);
  write('printf x');
  await expect.poll(() => copy.isHeld()).toBe(true);
  let finished = false;
  const done = copy.done.then(() => (finished = true));
  await sleep(100);
  expect(finished).toBe(false);
  next();
  await done;
});

test.each([
  ['there is none', () => null],
  ['it fails', () => failing()],
  ['it is destroyed', () => new PassThrough().destroy()],
])('without a sink because %s all is read and dropped', async (_, make) => {
  using copy = copyOutput(path, make());
  write('exec head -c 5000000 /dev/zero');
  expect(await outputDone([copy], 10_000, never)).toBe(true);
});

function failing(): Writable {
  const sink = new Writable({
    highWaterMark: 10,
    write: (_chunk, _encoding, done) => done(new Error('gone')),
  });
  return sink.on('error', () => {});
}

test('a stuck sink is let go of by drop, and the signal ends the wait', async () => {
  const { sink } = slowSink();
  using copy = copyOutput(path, sink);
  const child = write('exec head -c 20000000 /dev/zero');
  await expect.poll(() => copy.isHeld()).toBe(true);
  await expect(outputDone([copy], 10_000, AbortSignal.timeout(50))).rejects.toThrow('abort');
  expect(child.exitCode).toBeNull();
  copy.drop();
  expect(await outputDone([copy], 10_000, never)).toBe(true);
});

test('disposing closes the FIFO', async () => {
  const copy = copyOutput(path, null);
  const fd = openSync(path, constants.O_RDWR);
  copy[Symbol.dispose]();
  await copy.done;
  closeSync(fd);
  expect(() => openFifoWriter(path)).toThrow('nobody reads from it');
  expect(() => copyOutput(join(root, 'none'), null)).toThrow(expect.objectContaining({ code: 'not_found' }));
});

test('what a slow listener is given stays as it is until it has called back', async () => {
  let text = '';
  const sink = new Writable({
    highWaterMark: 10_000_000, // so that many chunks wait at once
    write(chunk: Buffer, _, done) {
      setTimeout(() => {
        text += chunk.toString();
        done();
      }, 5);
    },
  });
  using copy = copyOutput(path, sink);
  write('seq 1 300000 | dd bs=64k iflag=fullblock status=none');
  await copy.done;
  expect(text === Array.from({ length: 300_000 }, (_, n) => `${n + 1}\n`).join('')).toBe(true);
});
