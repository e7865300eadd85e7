import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { KeptFiles, readOnce } from './small-files.ts';

const root = mkdtempSync(join(tmpdir(), 'cristal-small-'));
afterAll(() => rmSync(root, { recursive: true }));

function fileOf(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

/** Which files of this test are open in this process. */
function open(): string[] {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the directory's own
    }
  });
  return links.filter((link) => link.startsWith(root)).toSorted();
}

test('files stay open up to the limit, and are closed when nobody asks for them', () => {
  using files = new KeptFiles(2);
  const paths = ['a', 'b', 'c'].map((name) => fileOf(name, `${name} 1\n`));
  expect(paths.map((path) => files.read(path, 10))).toEqual(['a 1\n', 'b 1\n', 'c 1\n']);
  expect(open()).toEqual(paths.slice(0, 2));

  fileOf('a', 'a 22\n');
  expect(files.read(paths[0] ?? '', 20)).toBe('a 22\n');
  files.closeUnused(20);
  expect(open()).toEqual([paths[0]]);
  expect(files.read(paths[2] ?? '', 30)).toBe('c 1\n');
  expect(open()).toEqual([paths[0], paths[2]]);
  files[Symbol.dispose]();
  expect(open()).toEqual([]);
});

test('a long file is read whole, a missing one is null, and a directory fails', () => {
  using files = new KeptFiles(1);
  const long = '0123456789abcdef\n'.repeat(10_000);
  const path = fileOf('long', long);
  expect(readOnce(path)).toBe(long);
  expect([files.read(path, 0), files.read(path, 1)]).toEqual([long, long]);
  expect(readOnce(join(root, 'none'))).toBeNull();
  expect(readOnce(join(path, 'below'))).toBeNull();
  expect(new KeptFiles(1).read(join(root, 'none'), 0)).toBeNull();
  expect(() => readOnce(root)).toThrow(`read ${root}: EISDIR`);
  using other = new KeptFiles(1);
  expect(() => other.read(root, 0)).toThrow(`read ${root}: EISDIR`);
  expect(open()).toEqual([path]);
});
