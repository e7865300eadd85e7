import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { writePage } from './page-file.ts';

const root = mkdtempSync(join(tmpdir(), 'cristal-page-'));
afterAll(() => rmSync(root, { recursive: true }));

const inode = (path: string) => statSync(path).ino;

test('the first text makes the directory, the next ones go into the same file', () => {
  const path = join(root, 'some', 'where', 'status');
  writePage(path, 'a longer text');
  const first = inode(path);
  expect(readFileSync(path, 'utf8')).toBe(`${'a longer text'.padEnd(4095)}\n`);
  writePage(path, 'short');
  expect(readFileSync(path, 'utf8')).toBe(`${'short'.padEnd(4095)}\n`);
  expect(inode(path)).toBe(first);
  expect(readdirSync(join(root, 'some', 'where'))).toEqual(['status']);
});

test.each([4094, 4095, 4096, 4097, 20_000])('a text of %i bytes comes back', (length) => {
  const path = join(root, `of-${length}`);
  for (const letter of ['a', 'b']) {
    const text = letter.repeat(length);
    writePage(path, text);
    expect(readFileSync(path, 'utf8').trimEnd()).toBe(text);
  }
});

test('a file that is not of one page is replaced', () => {
  const path = join(root, 'older');
  writeFileSync(path, 'x'.repeat(5000));
  const before = inode(path);
  writePage(path, 'new');
  expect(readFileSync(path, 'utf8').trimEnd()).toBe('new');
  expect(inode(path)).not.toBe(before);
});

test('a failure names the file and leaves nothing', () => {
  mkdirSync(join(root, 'taken', 'status'), { recursive: true });
  expect(() => writePage(join(root, 'taken', 'status'), 'x')).toThrow(`write ${root}/taken/status: EISDIR`);
  writeFileSync(join(root, 'file'), '');
  expect(() => writePage(join(root, 'file', 'status'), 'x')).toThrow(`write ${root}/file/status: `);
  expect(readdirSync(join(root, 'taken'))).toEqual(['status']);
});
