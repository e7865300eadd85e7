// Usage: leak-check.ts before FILE | after FILE. The first notes what is on the machine, the second fails if
// processes, mounts, links, iptables rules or cgroups of the tests have come to it since.
import { readFileSync, writeFileSync } from 'node:fs';
import { markedState } from '../test/fixtures/host-state.ts';
import { leaks } from '../test/fixtures/leaks.ts';
import { eventually } from '../test/fixtures/processes.ts';

const [when, file] = process.argv.slice(2);
if ((when !== 'before' && when !== 'after') || file === undefined) {
  throw new Error('usage: leak-check.ts before|after FILE');
}

if (when === 'before') {
  writeFileSync(file, JSON.stringify(markedState()));
} else {
  const before = JSON.parse(readFileSync(file, 'utf8')) as string[];
  let left: string[] = [];
  // The kernel removes some of it a moment after the last process is gone.
  await eventually(() => (left = leaks(before, markedState())).length === 0, 5_000);
  for (const line of left) process.stdout.write(`left behind: ${line}\n`);
  process.exitCode = left.length === 0 ? 0 : 1;
}
