import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { makeFifo, makeFifoDir, openFifoReader, openFifoWriter, removeFifoDir } from './fifo.ts';

const root = mkdtempSync(join(tmpdir(), 'cristal-fifo-'));
afterAll(() => rmSync(root, { recursive: true }));

test('a FIFO takes a mebibyte before its writer has to wait', () => {
  const path = join(root, 'large');
  makeFifo(path);
  makeFifo(path);
  const reader = openFifoReader(path);
  const writer = openFifoWriter(path);
  expect(writeSync(writer, Buffer.alloc(2 * 1024 * 1024))).toBe(1024 * 1024);
  expect(readSync(reader, Buffer.alloc(10))).toBe(10);
  closeSync(writer);
  closeSync(reader);
});

test('errors say what and where', () => {
  const path = join(root, 'small');
  makeFifo(path);
  writeFileSync(join(root, 'file'), '');
  expect(() => openFifoWriter(path)).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  expect(() => openFifoReader(join(root, 'none'))).toThrow(expect.objectContaining({ code: 'not_found' }));
  expect(() => openFifoReader(join(root, 'file'))).toThrow(`${root}/file: it is not a FIFO`);
  expect(() => makeFifo(join(root, 'file'))).toThrow(expect.objectContaining({ code: 'already_exists' }));
});

test('a directory of FIFOs is made twice and removed twice, with nothing that others put there', () => {
  const dir = join(root, 'some', 'exec');
  const paths = [join(dir, 'stdout'), join(dir, 'stderr')];
  makeFifoDir(dir, paths);
  makeFifoDir(dir, paths);
  closeSync(openFifoReader(join(dir, 'stderr')));
  mkdirSync(join(dir, 'other'));
  expect(() => removeFifoDir(dir, paths)).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  expect(existsSync(join(dir, 'other'))).toBe(true);
  rmSync(join(dir, 'other'), { recursive: true });
  removeFifoDir(dir, paths);
  removeFifoDir(dir, paths);
  expect(existsSync(dir)).toBe(false);
  expect(() => makeFifoDir(join(root, 'large', 'sub'), [])).toThrow(`make directory ${root}/large/sub`);
});
