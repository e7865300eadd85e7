import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CdiFiles } from './cdi-files.ts';

let dir: string;
let files: CdiFiles;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cdi-'));
  files = new CdiFiles([join(dir, 'etc'), join(dir, 'run')]);
});
afterEach(() => rmSync(dir, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
const read = async () =>
  (await files.read()).map(({ path, priority, text }) => [path.slice(dir.length + 1), priority, text]);

test('directories that are not there have no files, until they have', async () => {
  expect(await read()).toEqual([]);
  mkdirSync(join(dir, 'run'));
  write('run/b.yaml', 'b');
  write('run/a.json', 'a');
  write('run/notes.txt', 'no');
  expect(await read()).toEqual([
    ['run/a.json', 1, 'a'],
    ['run/b.yaml', 1, 'b'],
  ]);
});

test('what did not change is not read again; what is written, replaced or removed is seen', async () => {
  mkdirSync(join(dir, 'etc'));
  write('etc/a.json', 'one');
  write('etc/b.json', 'two');
  const first = await files.read();
  expect(await files.read()).toBe(first);

  write('etc/a.json', 'ONE');
  expect(await read()).toEqual([
    ['etc/a.json', 0, 'ONE'],
    ['etc/b.json', 0, 'two'],
  ]);
  write('etc/new', 'TWO');
  renameSync(join(dir, 'etc/new'), join(dir, 'etc/b.json'));
  rmSync(join(dir, 'etc/a.json'));
  expect(await read()).toEqual([['etc/b.json', 0, 'TWO']]);
});
