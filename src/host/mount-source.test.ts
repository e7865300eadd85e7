import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { makeFifo } from './fifo.ts';
import { resolveMountSource } from './mount-source.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'cristal-src-')));
afterAll(() => rmSync(root, { recursive: true }));

test('files and symlinks are resolved, what is missing is made', async () => {
  writeFileSync(join(root, 'file'), '');
  symlinkSync('file', join(root, 'link'));
  expect(await resolveMountSource(join(root, 'link'), 5000)).toBe(join(root, 'file'));
  const missing = join(root, 'a', 'b');
  expect(await resolveMountSource(missing, 5000)).toBe(missing);
  expect(statSync(missing).mode & 0o777).toBe(0o755);
});

test.each(['file/below', 'dangling'])('%s is refused with its name', async (name) => {
  writeFileSync(join(root, 'file'), '');
  if (name === 'dangling') symlinkSync('nowhere/at/all', join(root, 'dangling'));
  const path = join(root, name);
  await expect(resolveMountSource(path, 5000)).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining(path),
  });
});

test('look-ups that hang are given up, not repeated, and few', async () => {
  // Opening a FIFO without a writer holds a thread of the pool: four of them stand for dead NFS mounts.
  const fifo = join(root, 'fifo');
  makeFifo(fifo);
  const stuck = Array.from({ length: 4 }, () => open(fifo, 'r'));
  const late = { code: 'deadline_exceeded', message: expect.stringContaining('no answer after 50 ms') };
  await expect(resolveMountSource(join(root, 'x'), 50)).rejects.toMatchObject(late);
  await expect(resolveMountSource(join(root, 'x'), 50)).rejects.toMatchObject(late);
  await expect(resolveMountSource(join(root, 'y'), 50)).rejects.toMatchObject(late);
  await expect(resolveMountSource(join(root, 'z'), 60_000)).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: expect.stringContaining(`still waiting for ${root}/x, ${root}/y`),
  });
  const joined = resolveMountSource(join(root, 'x'), 60_000);

  const writer = openSync(fifo, constants.O_RDWR);
  for (const handle of await Promise.all(stuck)) await handle.close();
  closeSync(writer);
  expect(await joined).toBe(join(root, 'x'));
  await expect.poll(() => resolveMountSource(join(root, 'z'), 60_000)).toBe(join(root, 'z'));
});
