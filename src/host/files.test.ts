import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { ensureDir, exists, listDir, openAppend, readBytes, readText, writeFileAtomic } from './files.ts';

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
  expect(await readBytes(join(root, 'file', 'below'))).toBeNull();
  expect(await listDir(join(root, 'none'))).toEqual([]);
  expect([await exists(join(root, 'none')), await exists(join(root, 'file'))]).toEqual([false, true]);
});

test('other errors do not pass for absence', async () => {
  await expect(readText(root)).rejects.toThrow(`read ${root}: EISDIR`);
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
