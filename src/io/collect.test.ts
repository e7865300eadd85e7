import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { makeFifo, openFifoWriter } from '../host/fifo.ts';
import { collectOutput } from './collect.ts';

const root = mkdtempSync(join(tmpdir(), 'cristal-collect-'));
const paths = { stdout: join(root, 'out'), stderr: join(root, 'err') };
makeFifo(paths.stdout);
makeFifo(paths.stderr);
afterAll(() => rmSync(root, { recursive: true }));

test('both streams apart, also what came before the end', async () => {
  using output = await collectOutput(paths, 1000);
  const out = openFifoWriter(paths.stdout);
  const err = openFifoWriter(paths.stderr);
  writeSync(out, 'one');
  await expect.poll(() => output.take().stdout.toString()).toBe('one');
  writeSync(err, 'oops');
  writeSync(out, 'two');
  closeSync(out);
  closeSync(err);
  await output.finished;
  expect(output.take()).toEqual({ stdout: Buffer.from('onetwo'), stderr: Buffer.from('oops') });
});

test('what exceeds the limit is read and dropped', async () => {
  using output = await collectOutput({ stdout: paths.stdout, stderr: '' }, 100_000);
  spawn('/bin/sh', ['-c', `exec seq 1 1000000 > ${paths.stdout}`]);
  await output.finished;
  const { stdout } = output.take();
  expect([stdout.length, stdout.toString('latin1').slice(0, 6)]).toEqual([100_000, '1\n2\n3\n']);
});

test('disposing ends it, and frees the FIFOs', async () => {
  const output = await collectOutput(paths, 10);
  output[Symbol.dispose]();
  await output.finished;
  expect(() => openFifoWriter(paths.stdout)).toThrow('nobody reads from it');
  expect(() => openFifoWriter(paths.stderr)).toThrow('nobody reads from it');
});

test('a missing FIFO is an error, and frees the other', async () => {
  const missing = { ...paths, stderr: join(root, 'none') };
  await expect(collectOutput(missing, 10)).rejects.toMatchObject({ code: 'not_found' });
  await expect
    .poll(() => {
      try {
        closeSync(openFifoWriter(paths.stdout));
        return 'open';
      } catch {
        return 'free';
      }
    })
    .toBe('free');
});
