import type { ContainerdVersion } from '../fixtures/tools.ts';
import { containerdVersions, whyNotCritest } from '../fixtures/tools.ts';
import { createCritest } from './critest.ts';

// Prints what became of critest's specs: `node test/conformance/run.ts [CONTAINERD] [FOCUS] [CRITEST FLAG...]`.
const [version = '2.3', focus = '.', ...flags] = process.argv.slice(2);
if (!isVersion(version)) throw new Error(`containerd ${version} is none of ${containerdVersions.join(', ')}`);
const reason = whyNotCritest(version);
if (reason !== null) throw new Error(reason);

await using critest = await createCritest(version);
const specs = await critest.run(focus, ...flags);
const counts = Map.groupBy(specs, ({ state }) => state);
for (const { name, state, message } of specs.toSorted((a, b) => a.state.localeCompare(b.state))) {
  say(state === 'passed' ? `passed: ${name}` : `${state}: ${name}\n  ${message.replaceAll('\n', '\n  ')}`);
}
const left = await critest.left();
for (const line of left) say(`left behind: ${line}`);
say([...counts].map(([state, { length }]) => `${length} ${state}`).join(', '));
process.exitCode =
  counts.has('passed') && specs.every(({ state }) => ['passed', 'skipped'].includes(state)) ? 0 : 1;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function isVersion(text: string): text is ContainerdVersion {
  return containerdVersions.some((known) => known === text);
}
