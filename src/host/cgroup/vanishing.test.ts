import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cgroupMode } from '../cgroup.ts';
import { parseMountInfo, readMountInfo } from '../mounts.ts';
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

const unified = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).find(
  ({ fsType }) => fsType === 'cgroup2',
);

test.runIf(process.getuid?.() === 0 && unified)(
  'a real v2 hierarchy tells processor time and pressure',
  () => {
    const mounts = unified ? [unified] : [];
    const path = `/cristal-test-${process.pid}-v2`;
    const dir = `${unified?.mountPoint}${path}`;
    mkdirSync(dir);
    try {
      using reader = createCgroupReader({ cgroup: 'v2', mounts, hugepageSizes: [] });
      const usage = reader.usage(path);
      expect(usage?.cpu?.usageNs).toBe(0n);
      const line = { avg10: 0, avg60: 0, avg300: 0, totalNs: 0n };
      const pressure = existsSync(`${dir}/cpu.pressure`) ? { some: line, full: line } : null;
      expect([usage?.cpu?.pressure, usage?.ioPressure]).toEqual([pressure, pressure]);
      expect(reader.detail(path)).toMatchObject({ userNs: 0n, systemNs: 0n });
    } finally {
      rmdirSync(dir);
    }
  },
);
