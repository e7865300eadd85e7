import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { removeTree } from './files.ts';
import { bindMount, mountsBelow, mountTmpfs, parseMountInfo, unmount } from './mounts.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
const root = mkdtempSync(join(tmpdir(), 'cristal-mnt-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each([
  [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
    { id: 36, parentId: 35, device: '98:0', root: '/mnt1', mountPoint: '/mnt2', propagation: 'slave' },
  ],
  [
    '1 2 0:1 / /a\\040b\\134c rw shared:2 master:3 - tmpfs none rw',
    { mountPoint: '/a b\\c', propagation: 'shared' },
  ],
  [
    '1 2 0:1 / /x rw - cgroup cgroup rw,memory',
    { fsType: 'cgroup', superOptions: ['rw', 'memory'], propagation: 'private' },
  ],
  ['1 2 0:1 / /x rw unbindable - tmpfs  rw', { source: '', propagation: 'unbindable' }],
])('mountinfo line %s', (line, expected) => {
  expect(parseMountInfo(`${line}\n`)).toMatchObject([expected]);
});

test('lines of another form are left out', () => {
  expect(parseMountInfo('\nnonsense\n1 2 3 4 5 6 7\n')).toEqual([]);
});

asRoot('a tmpfs is mounted with its mode, seen below its parent, and unmounted twice', async () => {
  const path = join(root, 'with space');
  mkdirSync(path);
  await mountTmpfs(path, { sizeBytes: 65_536, mode: 0o1777 });
  expect(statSync(path).mode & 0o7777).toBe(0o1777);
  expect(await mountsBelow(root)).toMatchObject([{ mountPoint: path, fsType: 'tmpfs' }]);
  expect(() => writeFileSync(join(path, 'big'), Buffer.alloc(100_000))).toThrow('ENOSPC');
  await unmount(path);
  await unmount(path);
  expect(await mountsBelow(root)).toEqual([]);
  await unmount(join(root, 'absent'));
});

asRoot('a tree with a mount in it is not removed, also through a symlink', async () => {
  const tree = join(root, 'tree');
  mkdirSync(join(tree, 'mounted'), { recursive: true });
  mkdirSync(join(root, 'source'));
  writeFileSync(join(root, 'source', 'kept'), '');
  symlinkSync(root, join(root, 'link'));
  await bindMount(join(root, 'source'), join(tree, 'mounted'));
  await expect(removeTree(tree)).rejects.toMatchObject({ code: 'failed_precondition' });
  await expect(removeTree(join(root, 'link', 'tree'))).rejects.toThrow(`${tree}/mounted is still mounted`);
  await unmount(join(tree, 'mounted'));
  await removeTree(tree);
  await removeTree(tree);
  expect([existsSync(tree), existsSync(join(root, 'source', 'kept'))]).toEqual([false, true]);
});

asRoot('errors name the call and both paths', async () => {
  await expect(bindMount('/no/source', '/no/target')).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('/no/source on /no/target'),
  });
});
