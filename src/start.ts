#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

// Starts main.ts in a Node that is set up for a daemon. docs/performance.md says what each part saves.

/** Compiled code, types stripped. Whoever can write here can write the source as well. */
const cacheDir = join(import.meta.dirname, '../node_modules/.cache/cristal');

/**
 * Of V8: young objects have 2 MiB per thread, and not up to 32, and the heap may grow by a half before the next
 * full collection, and not to four times as much. The collector can be called, for a daemon at rest
 * (`daemon/rest.ts`).
 */
const options = ['--max-semi-space-size=2', '--heap-growing-percent=50', '--expose-gc'];

const environment: NodeJS.ProcessEnv = {
  // Of glibc: threads share two heaps, or each keeps what it has freed to itself.
  MALLOC_ARENA_MAX: '2',
  NODE_COMPILE_CACHE: cacheDir,
  ...process.env,
};

if (environment['NODE_COMPILE_CACHE'] === cacheDir) warmUp();
const args = [
  ...process.execArgv,
  ...options,
  join(import.meta.dirname, 'main.ts'),
  ...process.argv.slice(2),
];
process.execve?.(process.execPath, [process.execPath, ...args], environment);

/** Compiles everything once after an install, so that the first daemon is as small as those after it. */
function warmUp(): void {
  if (existsSync(cacheDir)) return;
  try {
    mkdirSync(cacheDir, { recursive: true });
  } catch {
    return; // a read-only installation does without
  }
  const warm = join(import.meta.dirname, 'warm-up.ts');
  spawnSync(process.execPath, [...options, warm], { env: environment, stdio: 'ignore' });
}
