import { expect, it, test } from 'vitest';

import { PluginBinaries } from './binaries.ts';
import type { PluginCall } from './plugin.ts';
import { createRunPlugin, describeFailure } from './plugin.ts';
import { createBench } from './testing/bench.ts';

const call: PluginCall = {
  verb: 'ADD',
  type: 'fake',
  network: 'net',
  config: { name: 'net' },
  env: { CNI_NETNS: '/n' },
};

it.each<[string, { code?: number; signal?: NodeJS.Signals; stdout?: string; stderr?: string }, string]>([
  [
    'its own words',
    { stdout: '{"code":7,"msg":"no range","details":"set one"}' },
    'no range: set one (CNI code 7)',
  ],
  [
    'words and stderr',
    { stdout: '{"code":11,"msg":"busy"}', stderr: 'log\n' },
    'busy (CNI code 11); stderr: log',
  ],
  ['plain output', { code: 2, stdout: 'panic: x\n' }, 'exit code 2; stdout: panic: x'],
  ['JSON of another kind', { stdout: '{"error":1}' }, 'exit code 1; stdout: {"error":1}'],
  ['nothing', {}, 'exit code 1'],
  ['a signal', { signal: 'SIGSEGV', stderr: 'oops' }, 'killed by SIGSEGV; stderr: oops'],
  [
    'the end of long output',
    { stderr: `${'a'.repeat(3000)}end` },
    `exit code 1; stderr: …${'a'.repeat(997)}end`,
  ],
])('a failure with %s', (_case, { code = 1, signal = null, stdout = '', stderr = '' }, text) => {
  const result = {
    code: signal === null ? code : null,
    signal,
    stdout: Buffer.from(stdout),
    stderr: Buffer.from(stderr),
  };
  expect(describeFailure(result)).toBe(text);
});

test('hands the configuration, the variables and PATH to the plugin and gives its output', async () => {
  await using bench = await createBench();
  await bench.plugin('fake', 'test -n "$PATH" && echo done');
  const run = createRunPlugin({ binaries: new PluginBinaries([bench.binDir]), timeoutMs: 5000 });
  expect(await run(call)).toBe('done\n');
  expect(await bench.calls()).toEqual([
    {
      type: 'fake',
      verb: 'ADD',
      env: { CNI_COMMAND: 'ADD', CNI_NETNS: '/n', CNI_PATH: bench.binDir },
      stdin: { name: 'net' },
    },
  ]);
});

test('a failure names verb, network, plugin and what it printed', async () => {
  await using bench = await createBench();
  await bench.plugin('fake', `echo '{"code":100,"msg":"broken"}'; echo why >&2; exit 1`);
  const run = createRunPlugin({ binaries: new PluginBinaries([bench.binDir]), timeoutMs: 5000 });
  await expect(run(call)).rejects.toMatchObject({
    code: 'unavailable',
    message: 'CNI ADD of network net: plugin fake: broken (CNI code 100); stderr: why',
  });
});

test('a plugin that hangs is killed with its children', async () => {
  await using bench = await createBench();
  await bench.plugin('fake', 'sleep 600');
  const run = createRunPlugin({ binaries: new PluginBinaries([bench.binDir]), timeoutMs: 200 });
  await expect(run(call)).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: expect.stringContaining('CNI ADD of network net: plugin fake: '),
  });
});

test('a cancelled call gives cancelled', async () => {
  await using bench = await createBench();
  await bench.plugin('fake', 'sleep 600');
  const run = createRunPlugin({ binaries: new PluginBinaries([bench.binDir]), timeoutMs: 5000 });
  await expect(run(call, AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'cancelled' });
});

test('finds a program again that moved, and never says not_found', async () => {
  await using bench = await createBench();
  await using other = await createBench();
  const binaries = new PluginBinaries([bench.binDir, other.binDir]);
  const run = createRunPlugin({ binaries, timeoutMs: 5000 });
  await expect(run(call)).rejects.toMatchObject({
    code: 'unavailable',
    message: `CNI ADD of network net: plugin fake: no executable "fake" in ${bench.binDir}, ${other.binDir}`,
  });

  await bench.plugin('fake', 'echo first');
  expect(await run(call)).toBe('first\n');
  await bench[Symbol.asyncDispose]();
  await other.plugin('fake', 'echo second');
  expect(await run(call)).toBe('second\n');
  expect(await binaries.missing(['fake', 'none'])).toEqual(['none']);
});
