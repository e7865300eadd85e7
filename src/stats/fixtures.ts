/** What tests tell of: a reading of which every figure is known, and what metrics are made of. */
import type { CgroupDetail } from '../host/cgroup/usage.ts';
import type { Reading } from './collector.ts';
import type { MetricSource } from './metrics/kind.ts';

const LARGE = 2 ** 52;
const LARGE_NS = 2n ** 62n;
const line = { avg10: 99.99, avg60: 99.99, avg300: 99.99, totalNs: LARGE_NS };
const pressure = { some: line, full: line };

export function fullReading(over: Partial<Reading> = {}): Reading {
  const memory = {
    usage: LARGE,
    workingSet: LARGE - 9,
    limit: LARGE + 1,
    rss: LARGE,
    cache: LARGE,
    mappedFile: LARGE,
    pageFaults: LARGE,
    majorPageFaults: LARGE,
    pressure,
  };
  return {
    at: LARGE_NS,
    cgroup: '/pod/c1',
    usage: {
      cpu: { usageNs: LARGE_NS, pressure },
      memory,
      swap: { usage: LARGE, limit: LARGE + 5 },
      ioPressure: pressure,
    },
    nanoCores: LARGE_NS,
    ...over,
  };
}

const fullDetail: CgroupDetail = {
  userNs: LARGE_NS,
  systemNs: LARGE_NS,
  throttling: { periods: 1, throttledPeriods: 2, throttledNs: LARGE_NS },
  memory: { kernel: LARGE, maxUsage: LARGE, failures: 1, oomKills: 2 },
  io: [
    { major: 8, minor: 0, operation: 'Read', bytes: LARGE, operations: 3 },
    { major: 8, minor: 0, operation: 'Write', bytes: LARGE, operations: 4 },
  ],
  hugepages: [{ size: '2MB', usage: LARGE, maxUsage: LARGE }],
  threads: 5,
  threadsMax: 0,
  limits: { cpuShares: 512, cpuPeriod: 100_000, cpuQuota: 20_000, memoryReservation: LARGE },
};

/** A source that has something to tell for every metric. */
export function fullSource(over: Partial<MetricSource> = {}): MetricSource {
  const counters = { bytes: 1, packets: 2, errors: 3, dropped: 4 };
  return {
    scope: 'container',
    at: LARGE_NS,
    startedAt: LARGE_NS,
    cgroup: { usage: fullReading().usage, detail: fullDetail },
    processes: { processes: 2, openFiles: 7, sockets: 1, openFilesLimit: 1024 },
    disk: {
      usedBytes: 1,
      measuredAt: 77n,
      filesystem: { device: '/dev/sda1', bytes: LARGE, inodes: 3, inodesFree: 2 },
    },
    interfaces: [{ name: 'eth0', rx: counters, tx: counters }],
    deviceName: (major, minor) => `/dev/${major}-${minor}`,
    ...over,
  };
}
