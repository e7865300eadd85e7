import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ImageUserFiles } from './image-user-files.ts';

/** A snapshot that is a directory, and how often its mounts were asked for. */
function snapshot(passwd: string | null) {
  const dir = mkdtempSync(join(tmpdir(), 'cristal-user-files-'));
  mkdirSync(join(dir, 'etc'));
  if (passwd !== null) writeFileSync(join(dir, 'etc/passwd'), passwd);
  let asked = 0;
  return {
    rootfs: async () => {
      asked++;
      return [{ type: 'bind', source: dir, target: '', options: [] }];
    },
    asked: () => asked,
    [Symbol.dispose]: () => rmSync(dir, { recursive: true }),
  };
}

const layers = { snapshotter: 'overlayfs', chainId: 'sha256:aa' };

test('an image is read once, also one without such files', async () => {
  using one = snapshot('app:x:7:7::/:/bin/sh\n');
  using none = snapshot(null);
  const files = new ImageUserFiles();
  for (let i = 0; i < 3; i++) {
    expect(await files.of(layers, one.rootfs)).toEqual({ passwd: 'app:x:7:7::/:/bin/sh\n', group: null });
    const empty = await files.of({ ...layers, chainId: 'sha256:bb' }, none.rootfs);
    expect(empty).toEqual({ passwd: null, group: null });
  }
  expect([one.asked(), none.asked()]).toEqual([1, 1]);
});

test('the same layers in another snapshotter are read there', async () => {
  using one = snapshot('one:x:1:1:::\n');
  using other = snapshot('other:x:2:2:::\n');
  const files = new ImageUserFiles();
  await files.of(layers, one.rootfs);
  const found = await files.of({ ...layers, snapshotter: 'native' }, other.rootfs);
  expect(found.passwd).toBe('other:x:2:2:::\n');
});

test('a read that failed is made again, and what is long is not kept', async () => {
  using long = snapshot('x'.repeat(65 * 1024));
  const files = new ImageUserFiles();
  await expect(files.of(layers, () => Promise.reject(new Error('no snapshot')))).rejects.toThrow(
    'no snapshot',
  );
  await files.of(layers, long.rootfs);
  await files.of(layers, long.rootfs);
  expect(long.asked()).toBe(2);
});

test('those of a hundred images are kept, the last ones used', async () => {
  using one = snapshot('one:x:1:1:::\n');
  using others = snapshot('other:x:2:2:::\n');
  const files = new ImageUserFiles();
  await files.of(layers, one.rootfs);
  for (let i = 0; i < 99; i++) await files.of({ ...layers, chainId: `sha256:${i}` }, others.rootfs);
  await files.of(layers, one.rootfs);
  for (let i = 99; i < 150; i++) await files.of({ ...layers, chainId: `sha256:${i}` }, others.rootfs);
  await files.of(layers, one.rootfs);
  expect(one.asked()).toBe(1);
  await files.of({ ...layers, chainId: 'sha256:0' }, others.rootfs);
  expect(others.asked()).toBe(151);
});
