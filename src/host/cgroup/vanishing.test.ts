import { mkdirSync, rmdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cgroupMode } from '../cgroup.ts';
import { readMountInfo } from '../mounts.ts';
import { createCgroupReader } from './reader.ts';

/** Each controller's directory of a new cgroup. */
async function cgroupDirs(path: string): Promise<string[]> {
  const mounts = (await readMountInfo()).filter(({ fsType }) => fsType === 'cgroup' || fsType === 'cgroup2');
  return mounts
    .filter(({ superOptions }) => !superOptions.includes('cpuset'))
    .map(({ mountPoint }) => mountPoint + path);
}

test.runIf(process.getuid?.() === 0)(
  'an open file of a cgroup that went is no error, and the next one is read',
  async () => {
    const path = `/cristal-test-${process.pid}-vanishing`;
    const dirs = await cgroupDirs(path);
    using reader = createCgroupReader({
      cgroup: cgroupMode(),
      mounts: await readMountInfo(),
      hugepageSizes: [],
    });
    for (let round = 0; round < 2; round++) {
      expect(reader.usage(path)).toBeNull();
      for (const dir of dirs) mkdirSync(dir);
      try {
        expect(reader.usage(path)).toMatchObject({ cpu: { usageNs: 0n } });
        expect(reader.usage(path)).toMatchObject({ cpu: { usageNs: 0n } });
        expect(reader.detail(path)).toMatchObject({ userNs: 0n, systemNs: 0n });
      } finally {
        for (const dir of dirs) rmdirSync(dir);
      }
      expect(reader.usage(path)).toBeNull();
      expect(reader.cpuTime(path)).toBeNull();
    }
  },
);
