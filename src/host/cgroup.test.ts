import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { cgroupDirectory, cgroupMode, oomKills, removeCgroup } from './cgroup.ts';
import { readMountInfo } from './mounts.ts';

const asRoot = test.runIf(process.getuid?.() === 0);

test.each([
  ['/kubepods/pod1/c1', '/kubepods/pod1/c1'],
  ['kubepods//pod1/', '/kubepods/pod1'],
  ['a-b-c.slice:cri:id', '/a.slice/a-b.slice/a-b-c.slice/cri-id.scope'],
  [':cri:id', '/system.slice/cri-id.scope'],
  ['-.slice::id', '/id.scope'],
  ['a.slice:cri:b.slice', '/a.slice/b.slice'],
])('%s is in %s', (cgroupsPath, directory) => {
  expect(cgroupDirectory(cgroupsPath)).toBe(directory);
});

test.each(['/', '', '/a/../..'])('"%s" is never removed', async (path) => {
  await expect(removeCgroup(path)).rejects.toMatchObject({ code: 'invalid_argument' });
});

asRoot('a cgroup is removed with those in it, from every hierarchy, and twice', async () => {
  const name = `/cristal-test-${process.pid}`;
  const hierarchies = (await readMountInfo()).filter(({ fsType }) => fsType.startsWith('cgroup'));
  const made = hierarchies.map(({ mountPoint }) => `${mountPoint}${name}`);
  for (const path of made) mkdirSync(`${path}/inner`, { recursive: true });
  expect(made.length).toBeGreaterThan(0);
  expect(await oomKills(name)).toBe(0);
  await removeCgroup(name);
  expect(made.filter((path) => existsSync(path))).toEqual([]);
  await removeCgroup(name);
  expect(await oomKills(name)).toBeNull();
});

asRoot('a cgroup with a process in it is not removed', async () => {
  const name = `/cristal-test-busy-${process.pid}`;
  const hierarchies = (await readMountInfo()).filter(({ fsType }) => fsType.startsWith('cgroup'));
  const unified = hierarchies.find(({ fsType }) => fsType === 'cgroup2') ?? hierarchies[0];
  const path = `${unified?.mountPoint}${name}`;
  mkdirSync(path);
  const sleeper = spawn('/bin/sleep', ['60']);
  writeFileSync(`${path}/cgroup.procs`, `${sleeper.pid}`);
  await expect(removeCgroup(name)).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining(path),
  });
  sleeper.kill('SIGKILL');
  await once(sleeper, 'exit');
  await removeCgroup(name);
  expect(existsSync(path)).toBe(false);
});

test('the mode is one of the two', () => {
  expect(['v1', 'v2']).toContain(cgroupMode());
});
