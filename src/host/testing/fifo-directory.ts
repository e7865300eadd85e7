import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect } from 'vitest';

/** A directory for the FIFOs of one test file. Each of its tests has to leave no descriptor open below it. */
export function fifoDirectory(name: string): string {
  const root = mkdtempSync(join(tmpdir(), `cristal-${name}-`));
  afterAll(() => rmSync(root, { recursive: true }));
  afterEach(async () => {
    await expect.poll(() => openBelow(root)).toEqual([]);
  });
  return root;
}

function openBelow(root: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(root) ? [target] : [];
    } catch {
      return []; // the descriptor of the listing itself
    }
  });
}
