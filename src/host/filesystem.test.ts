import { statfsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { blockDeviceName, filesystemOf } from './filesystem.ts';
import { readMountInfo } from './mounts.ts';

test('the file system of a directory, by the mount that it is on', async () => {
  const mounts = await readMountInfo();
  const { blocks, bsize, files } = statfsSync('/proc/sys');
  const proc = mounts.findLast(({ mountPoint }) => mountPoint === '/proc');
  expect(await filesystemOf('/proc/self', mounts)).toMatchObject({ device: proc?.source });
  expect(await filesystemOf('/proc/sys', [])).toMatchObject({
    device: '',
    bytes: blocks * bsize,
    inodes: files,
  });
  expect(await filesystemOf('/no/such/directory', mounts)).toBeNull();
});

test('a device without a node goes by its numbers', () => {
  expect(blockDeviceName(4_000, 77)).toBe('4000:77');
});
