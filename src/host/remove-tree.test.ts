import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { makeFifo } from './fifo.ts';
import { bindMount, mountTmpfs, unmount } from './mounts.ts';
import { removeTree } from './remove-tree.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
describe.each(['/dev/shm', tmpdir()])('below %s', (base) => {
  const root = mkdtempSync(join(base, 'cristal-remove-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test('two may remove the same tree', async () => {
    const tree = join(root, 'twice');
    for (let i = 0; i < 200; i += 1) {
      mkdirSync(join(tree, `${i}`, 'below'), { recursive: true });
      writeFileSync(join(tree, `${i}`, 'below', 'file'), 'x');
    }
    await Promise.all([removeTree(tree), removeTree(tree), removeTree(join(tree, '150')), removeTree(tree)]);
    expect(existsSync(tree)).toBe(false);
  });

  test('a tree of all kinds of things goes, and nothing that a symlink in it leads to', async () => {
    const tree = join(root, 'tree');
    const kept = join(root, 'kept');
    mkdirSync(join(tree, 'deep', 'deeper'), { recursive: true });
    mkdirSync(join(tree, 'empty'));
    mkdirSync(kept);
    writeFileSync(join(kept, 'file'), 'x');
    writeFileSync(join(tree, 'deep', 'deeper', 'file'), 'x');
    writeFileSync(join(tree, 'large'), '');
    truncateSync(join(tree, 'large'), 1_000_000);
    makeFifo(join(tree, 'fifo'));
    symlinkSync(kept, join(tree, 'link'));
    symlinkSync('nowhere', join(tree, 'deep', 'dangling'));

    await removeTree(tree);

    expect(readdirSync(root)).toEqual(['kept']);
    expect(readFileSync(join(kept, 'file'), 'utf8')).toBe('x');
    await removeTree(tree);
  });

  test('one of many names goes, in pieces', async () => {
    const tree = join(root, 'many');
    mkdirSync(join(tree, 'sub'), { recursive: true });
    for (let i = 0; i < 3000; i++) writeFileSync(join(tree, 'sub', `${i}`.padEnd(200, 'x')), '');
    await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
  });

  test('names need not be text', async () => {
    const tree = join(root, 'bytes');
    const odd = (...bytes: number[]) => Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(bytes)]);
    mkdirSync(tree);
    mkdirSync(odd(0xff, 0xfe));
    writeFileSync(Buffer.concat([odd(0xff, 0xfe), Buffer.from('/'), Buffer.from([0x80])]), '');
    writeFileSync(odd(0xc3), '');
    await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
  });

  test('a file, a symlink, and what is not there', async () => {
    writeFileSync(join(root, 'file'), '');
    symlinkSync(join(root, 'kept'), join(root, 'link'));
    for (const name of ['file', 'link', 'none', 'file/below']) await removeTree(join(root, name));
    expect(readdirSync(root)).toEqual(['kept']);
  });

  asRoot.each<[string, (source: string, target: string) => Promise<void>]>([
    ['another file system', (_source, target) => mountTmpfs(target, { sizeBytes: 65_536, mode: 0o700 })],
    ['a directory of the same file system', bindMount],
  ])('%s that is mounted in it keeps all that it has', async (_kind, mountIt) => {
    const [source, tree] = [join(root, 'source'), join(root, 'mounted')];
    const target = join(tree, 'sub', 'point');
    mkdirSync(source);
    mkdirSync(target, { recursive: true });
    await mountIt(source, target);
    try {
      mkdirSync(join(target, 'dir'));
      writeFileSync(join(target, 'dir', 'file'), 'x');
      for (const path of [tree, target]) {
        await expect(removeTree(path)).rejects.toMatchObject({
          code: 'failed_precondition',
          message: `remove ${path}: ${target} is still mounted`,
        });
      }
      expect(readFileSync(join(target, 'dir', 'file'), 'utf8')).toBe('x');
    } finally {
      await unmount(target);
    }
    await removeTree(tree);
    await removeTree(source);
    expect(readdirSync(root)).toEqual(['kept']);
  });

  asRoot('a file that something is mounted on stays, with what was in it before', async () => {
    const tree = join(root, 'pins');
    mkdirSync(join(tree, 'ns'), { recursive: true });
    writeFileSync(join(tree, 'ns', 'net'), 'x');
    writeFileSync(join(tree, 'beside'), '');
    await bindMount(join(root, 'kept', 'file'), join(tree, 'ns', 'net'));
    try {
      await expect(removeTree(tree)).rejects.toThrow(`${tree}/ns/net is still mounted`);
      expect(readdirSync(tree).sort()).toEqual(['beside', 'ns']);
    } finally {
      await unmount(join(tree, 'ns', 'net'));
    }
    await removeTree(tree);
    expect(existsSync(join(root, 'kept', 'file'))).toBe(true);
  });
});
