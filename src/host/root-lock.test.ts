import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isRootLocked, lockRoot } from './root-lock.ts';

test('one at a time, by whatever path; free again when it is let go', async () => {
  const root = mkdtempSync(join(tmpdir(), 'cristal-lock-'));
  const link = `${root}-link`;
  symlinkSync(root, link);
  try {
    expect(await isRootLocked(root)).toBe(false);
    {
      await using _held = await lockRoot(root);
      expect(await isRootLocked(link)).toBe(true);
      await expect(lockRoot(link)).rejects.toMatchObject({ code: 'failed_precondition' });
      expect(await isRootLocked(`${root}/other`)).toBe(false);
    }
    expect(await isRootLocked(root)).toBe(false);
    await using _again = await lockRoot(root);
  } finally {
    rmSync(link);
    rmSync(root, { recursive: true });
  }
});
