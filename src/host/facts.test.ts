import { readFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { expect, test } from 'vitest';

import { cgroupOptions, hasCapability, hugepageSize, readHostFacts } from './facts.ts';

test('the facts of this machine', async () => {
  const facts = await readHostFacts();
  expect(facts.mounts.map(({ mountPoint }) => mountPoint)).toContain('/proc');
  expect(facts.hostname).toBe(hostname());
  // Distributions have brought mount_setattr(2) to older kernels too.
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major > 5 || (major === 5 && minor >= 12)) expect(facts.kernel.mountAttributes).toBe(true);
  expect(`${facts.oomScoreAdj}\n`).toBe(readFileSync('/proc/self/oom_score_adj', 'utf8'));
});

test.each([
  ['hugepages-2048kB', ['2MB']],
  ['hugepages-1048576kB', ['1GB']],
  ['hugepages-64kB', ['64KB']],
  ['hugepages-33554432kB', ['32GB']],
  ['other', []],
])('%s is %j', (name, sizes) => {
  expect(hugepageSize(name)).toEqual(sizes);
});

test.each([
  ['CapEff:\t000001ffffffffff\n', true],
  ['CapEff:\t0000000001000000\n', true],
  ['CapEff:\t00000000a80425fb\nCapBnd:\t0000000001000000\n', false],
  ['', false],
])('capability 24 in %j: %s', (status, has) => {
  expect(hasCapability(status, 24n)).toBe(has);
});

test.each<[string[], string[]]>([
  [
    ['rw', 'nsdelegate', 'memory_recursiveprot'],
    ['nsdelegate', 'memory_recursiveprot'],
  ],
  [['rw', 'seclabel'], []],
])('of the options %j of cgroup v2 a mount has to repeat %j', (superOptions, repeated) => {
  const mounts = [
    { fsType: 'ext4', superOptions: ['nsdelegate'] },
    { fsType: 'cgroup2', superOptions },
  ];
  expect(cgroupOptions(mounts)).toEqual(repeated);
  expect(cgroupOptions(mounts.slice(0, 1))).toEqual([]);
});
