import { globSync } from 'node:fs';
import { join } from 'node:path';

// Run by start.ts with Node's compile cache on: loads all that a daemon loads, and ends. What was compiled
// is written down at the exit.

for (const file of globSync('**/*-worker.ts', { cwd: import.meta.dirname })) {
  await import(join(import.meta.dirname, file)).catch(() => {
    // It refuses to run outside of its thread, which is as well: it was compiled.
  });
}
process.argv = [process.execPath, 'main.ts', '--help'];
await import('./main.ts');
