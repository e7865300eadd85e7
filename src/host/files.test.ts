import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { Fault } from '../lib/fault.ts';
import {
  ensureDir,
  exists,
  listDir,
  openAppend,
  readBytes,
  readSmallFile,
  readText,
  saveStream,
  writeFileAtomic,
  writeSmallFile,
} from './files.ts';

const root = mkdtempSync(join(tmpdir(), 'cristal-files-'));
afterAll(() => rmSync(root, { recursive: true }));

test('an atomic write replaces text and mode, and leaves no temporary file', async () => {
  const path = join(root, 'atomic', 'a');
  await ensureDir(join(root, 'atomic'), 0o700);
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, Buffer.from('two'), 0o666);
  expect(await readText(path)).toBe('two');
  expect(statSync(path).mode & 0o777).toBe(0o666);
  expect(readdirSync(join(root, 'atomic'))).toEqual(['a']);
});

test('a small file is written over, with the mode that was asked for', () => {
  const path = join(root, 'small');
  const umask = process.umask(0o077);
  writeSmallFile(path, 'a longer text');
  writeSmallFile(path, 'text');
  process.umask(umask);
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['text', 0o644]);
  expect(() => writeSmallFile(join(root, 'no', 'a'), 'x')).toThrow(
    expect.objectContaining({ code: 'not_found', message: expect.stringContaining(`write ${root}/no/a`) }),
  );
});

test('a failed write names the file and leaves nothing', async () => {
  mkdirSync(join(root, 'dir', 'taken'), { recursive: true });
  await expect(writeFileAtomic(join(root, 'dir', 'taken'), 'x')).rejects.toThrow(
    `write ${root}/dir/taken: EISDIR`,
  );
  await expect(writeFileAtomic(join(root, 'no', 'a'), 'x')).rejects.toMatchObject({ code: 'not_found' });
  expect(readdirSync(join(root, 'dir'))).toEqual(['taken']);
});

test('what is absent reads as nothing', async () => {
  writeFileSync(join(root, 'file'), 'x');
  expect(await readText(join(root, 'none'))).toBeNull();
  expect([readSmallFile(join(root, 'none')), readSmallFile(join(root, 'file'))]).toEqual([null, 'x']);
  expect(await readBytes(join(root, 'file', 'below'))).toBeNull();
  expect(await listDir(join(root, 'none'))).toEqual([]);
  expect([await exists(join(root, 'none')), await exists(join(root, 'file'))]).toEqual([false, true]);
});

test('other errors do not pass for absence', async () => {
  await expect(readText(root)).rejects.toThrow(`read ${root}: EISDIR`);
  expect(() => readSmallFile(root)).toThrow(`read ${root}: EISDIR`);
  await expect(listDir(join(root, 'file'))).rejects.toThrow('ENOTDIR');
});

test('appending makes the directories and goes on with a file that exists', async () => {
  const path = join(root, 'logs', 'pod', '0.log');
  for (const text of ['one\n', 'two\n']) {
    await using file = await openAppend(path);
    await file.append(Buffer.from(text));
  }
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test('a streamed file has its name only when it is whole', async () => {
  const dir = join(root, 'streams');
  await ensureDir(dir);
  const path = join(dir, 'streamed');
  async function* pieces(fail: boolean) {
    yield Buffer.from('one ');
    expect(readdirSync(dir)).not.toContain('streamed');
    if (fail) throw new Fault('data_loss', 'cut');
    yield Buffer.from('two');
  }
  await expect(saveStream(path, pieces(true))).rejects.toMatchObject({ code: 'data_loss' });
  expect(readdirSync(dir)).toEqual([]);
  await saveStream(path, pieces(false));
  expect(await readText(path)).toBe('one two');
  expect(readdirSync(dir)).toEqual(['streamed']);
  rmSync(path);
  await expect(saveStream(join(dir, 'none', 'x'), pieces(false))).rejects.toMatchObject({
    code: 'not_found',
  });
});
