import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';

import { makeFifo } from './fifo.ts';
import { mountTmpfs, unmount } from './mounts.ts';
import { runProcess } from './process.ts';
import { layersOf, readRootfsFile } from './rootfs-file.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
const root = mkdtempSync(join(tmpdir(), 'cristal-rootfs-'));
let number = 0;
let dir = '';
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  dir = join(root, `${++number}`);
  for (const layer of ['upper', 'mid', 'low']) mkdirSync(join(dir, layer), { recursive: true });
});

const overlay = () => [
  {
    type: 'overlay',
    source: 'overlay',
    options: ['index=off', `workdir=${dir}/work`, `upperdir=${dir}/upper`, `lowerdir=${dir}/mid:${dir}/low`],
  },
];

function put(path: string, text = path): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  symlinkSync(target, join(dir, path));
}

async function tool(file: string, ...args: string[]): Promise<void> {
  const result = await runProcess({ file, args, env: { PATH: process.env['PATH'] ?? '' }, timeoutMs: 5000 });
  expect(result.stderr.toString()).toBe('');
}

test.each([
  [
    ['lowerdir=/a:/b', 'upperdir=/u'],
    ['/u', '/a', '/b'],
  ],
  [['lowerdir=/a\\:1:/b\\\\2'], ['/a:1', '/b\\2']],
  [
    ['lowerdir+=/a', 'lowerdir+=/b'],
    ['/a', '/b'],
  ],
])('layers of %j', (options, layers) => {
  expect(layersOf({ type: 'overlay', source: 'overlay', options })).toEqual(layers);
});

test('the topmost layer that has the file wins', async () => {
  put('low/etc/passwd');
  expect(await readRootfsFile(overlay(), '/etc/passwd')).toBe('low/etc/passwd');
  put('mid/etc/passwd');
  put('upper/etc/other');
  expect(await readRootfsFile(overlay(), 'etc/passwd')).toBe('mid/etc/passwd');
});

test('a bind mount is read below its source, and no mount has no files', async () => {
  put('low/etc/passwd');
  expect(await readRootfsFile([{ type: 'bind', source: join(dir, 'low'), options: [] }], 'etc/passwd')).toBe(
    'low/etc/passwd',
  );
  expect(await readRootfsFile([], 'etc/passwd')).toBeNull();
});

test.each([
  '/elsewhere/passwd',
  '../elsewhere/passwd',
  '../../../../../../elsewhere/passwd',
  '/etc/../elsewhere/./passwd',
])('a symlink to %s stays in the root and finds the file of another layer', async (target) => {
  link('upper/etc/passwd', target);
  put('low/elsewhere/passwd');
  expect(await readRootfsFile(overlay(), 'etc/passwd')).toBe('low/elsewhere/passwd');
});

test('a directory that is a symlink is followed in every layer', async () => {
  link('mid/etc', 'usr/etc');
  put('low/usr/etc/passwd');
  put('low/etc/passwd', 'hidden by the symlink');
  expect(await readRootfsFile(overlay(), 'etc/passwd')).toBe('low/usr/etc/passwd');
});

test('what leads out of the root, round in circles, or to no file is null', async () => {
  link('upper/etc/host', '/proc/self/status');
  link('upper/etc/a', 'b');
  link('upper/etc/b', 'a');
  put('low/etc/file');
  makeFifo(join(dir, 'upper/etc/fifo'));
  for (const path of [
    'etc/host',
    'etc/a',
    'etc',
    'etc/none',
    'etc/file/below',
    'etc/fifo',
    '../../../../etc/hostname',
  ]) {
    expect(await readRootfsFile(overlay(), path), path).toBeNull();
  }
});

test('a file above hides a directory below', async () => {
  put('upper/etc', 'a file');
  put('low/etc/passwd');
  expect(await readRootfsFile(overlay(), 'etc/passwd')).toBeNull();
});

test('a file too large for us is an error, not a full memory', async () => {
  put('low/etc/passwd', 'x'.repeat(9 * 1024 * 1024));
  await expect(readRootfsFile(overlay(), 'etc/passwd')).rejects.toMatchObject({ code: 'invalid_argument' });
});

asRoot('a whiteout hides the file below', async () => {
  put('low/etc/passwd');
  mkdirSync(join(dir, 'upper/etc'));
  await tool('mknod', join(dir, 'upper/etc/passwd'), 'c', '0', '0');
  expect(await readRootfsFile(overlay(), 'etc/passwd')).toBeNull();
});

asRoot('what the kernel makes of a removed and remade directory is read as the kernel does', async () => {
  // On a tmpfs of its own: an overlay cannot always be the upper layer of another.
  await mountTmpfs(dir, { sizeBytes: 1024 * 1024, mode: 0o755 });
  try {
    for (const name of ['upper', 'mid', 'low', 'work', 'merged']) mkdirSync(join(dir, name));
    put('low/etc/passwd');
    put('low/etc/group');
    const [mount] = overlay();
    await tool(
      'mount',
      '-t',
      'overlay',
      'overlay',
      '-o',
      (mount?.options ?? []).join(','),
      join(dir, 'merged'),
    );
    try {
      rmSync(join(dir, 'merged/etc'), { recursive: true });
      put('merged/etc/group', 'new');
    } finally {
      await unmount(join(dir, 'merged'));
    }
    expect(await readRootfsFile(overlay(), 'etc/passwd')).toBeNull();
    expect(await readRootfsFile(overlay(), 'etc/group')).toBe('new');
  } finally {
    await unmount(dir);
  }
});
