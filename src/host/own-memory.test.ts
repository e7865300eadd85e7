import { expect, test } from 'vitest';
import { giveBackMemory, residentBytes } from './own-memory.ts';

const MIB = 1024 * 1024;

test('what the C library had for us goes back to the kernel', async () => {
  // Below the size for which it asks the kernel anew each time, so that freed ones stay with it.
  const blocks = Array.from({ length: 2_000 }, () => Buffer.allocUnsafeSlow(32 * 1024).fill(1));
  const full = residentBytes();
  for (const { buffer } of blocks.splice(0)) buffer.transfer(0);
  await giveBackMemory();
  expect(residentBytes()).toBeLessThan(full - 20 * MIB);
});
