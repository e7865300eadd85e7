import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { MountInfo } from '../../lib/host-facts.ts';
import { createCgroupReader } from './reader.ts';
import type { Pressure } from './usage.ts';

const root = mkdtempSync(join(tmpdir(), 'cristal-cgroup-'));
afterAll(() => rmSync(root, { recursive: true }));

function mount(fsType: string, mountPoint: string, superOptions: string[]): MountInfo {
  return {
    id: 1,
    parentId: 0,
    device: '0:1',
    root: '/',
    mountPoint,
    options: [],
    propagation: 'shared',
    fsType,
    source: fsType,
    superOptions,
  };
}

/** Writes files below the test's directory, and returns where. */
function tree(name: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, name, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return join(root, name);
}

const pressure = (some: number, full: number) =>
  `some avg10=${some}.00 avg60=0.50 avg300=0.25 total=1500\nfull avg10=${full}.00 avg60=0.00 avg300=0.00 total=700\n`;

/** What becomes of such a text. */
function shown(some: number, full: number): Pressure {
  return {
    some: { avg10: some, avg60: 0.5, avg300: 0.25, totalNs: 1_500_000n },
    full: { avg10: full, avg60: 0, avg300: 0, totalNs: 700_000n },
  };
}

/** As a kernel 6.8 with systemd shows a container that has limits. */
const V2 = {
  'pod/c1/cpu.stat':
    'usage_usec 3500000\nuser_usec 3000000\nsystem_usec 500000\ncore_sched.force_idle_usec 0\n' +
    'nr_periods 120\nnr_throttled 7\nthrottled_usec 250000\nnr_bursts 0\nburst_usec 0\n',
  'pod/c1/cpu.pressure': pressure(3, 1),
  'pod/c1/cpu.weight': '39\n',
  'pod/c1/cpu.max': '20000 100000\n',
  'pod/c1/memory.current': '50331648\n',
  'pod/c1/memory.max': '67108864\n',
  'pod/c1/memory.min': '0\n',
  'pod/c1/memory.peak': '60000000\n',
  'pod/c1/memory.events': 'low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 0\n',
  'pod/c1/memory.pressure': pressure(5, 2),
  'pod/c1/memory.stat':
    'anon 20000000\nfile 25000000\nkernel 3000000\nkernel_stack 65536\npagetables 200000\nsec_pagetables 0\n' +
    'percpu 9000\nsock 0\nvmalloc 0\nshmem 0\nfile_mapped 8000000\nfile_dirty 0\nfile_writeback 0\n' +
    'inactive_anon 19000000\nactive_anon 1000000\ninactive_file 10331648\nactive_file 15000000\n' +
    'unevictable 0\nslab 400000\npgfault 12345\npgmajfault 67\n',
  'pod/c1/memory.swap.current': '4096\n',
  'pod/c1/memory.swap.max': '1048576\n',
  'pod/c1/io.pressure': pressure(9, 8),
  'pod/c1/io.stat':
    '259:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n253:1 \n8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n',
  'pod/c1/pids.current': '5\n',
  'pod/c1/pids.max': '1024\n',
  'pod/c1/hugetlb.2MB.current': '4194304\n',
  'pod/c1/cgroup.procs': `${Array.from({ length: 3_000 }, (_, i) => 100_000 + i).join('\n')}\n`,
  // Without limits, on a kernel of no pressure, swap or peak.
  'pod/c2/cpu.stat': 'usage_usec 10\nuser_usec 4\nsystem_usec 6\n',
  'pod/c2/cpu.weight': '100\n',
  'pod/c2/cpu.max': 'max 100000\n',
  'pod/c2/memory.current': '1000\n',
  'pod/c2/memory.max': 'max\n',
  'pod/c2/memory.stat':
    'anon 10\nfile 20\nkernel_stack 1\npagetables 2\npercpu 3\nslab 4\ninactive_file 5000\n',
  'pod/c2/pids.current': '1\n',
  'pod/c2/pids.max': 'max\n',
  // A cgroup to which no controller was given.
  'pod/c3/cpu.stat': 'usage_usec 7\nuser_usec 7\nsystem_usec 0\n',
};

function v2Reader() {
  const dir = tree('v2', V2);
  return createCgroupReader({
    cgroup: 'v2',
    mounts: [mount('cgroup2', dir, [])],
    hugepageSizes: ['2MB', '1GB'],
  });
}

test('v2 tells usage with pressure', () => {
  expect(v2Reader().usage('/pod/c1')).toEqual({
    cpu: { usageNs: 3_500_000_000n, pressure: shown(3, 1) },
    memory: {
      usage: 50_331_648,
      workingSet: 40_000_000,
      limit: 67_108_864,
      rss: 20_000_000,
      cache: 25_000_000,
      mappedFile: 8_000_000,
      pageFaults: 12_345,
      majorPageFaults: 67,
      pressure: shown(5, 2),
    },
    swap: { usage: 4_096, limit: 1_048_576 },
    ioPressure: shown(9, 8),
  });
});

test('v2 tells details', () => {
  const reader = v2Reader();
  expect(reader.detail('/pod/c1')).toEqual({
    userNs: 3_000_000_000n,
    systemNs: 500_000_000n,
    throttling: { periods: 120, throttledPeriods: 7, throttledNs: 250_000_000n },
    memory: { kernel: 3_000_000, maxUsage: 60_000_000, failures: 31, oomKills: 1 },
    io: [
      { major: 259, minor: 0, operation: 'Read', bytes: 4_096, operations: 1 },
      { major: 259, minor: 0, operation: 'Write', bytes: 8_192, operations: 2 },
      { major: 8, minor: 0, operation: 'Read', bytes: 1, operations: 3 },
      { major: 8, minor: 0, operation: 'Write', bytes: 2, operations: 4 },
    ],
    hugepages: [{ size: '2MB', usage: 4_194_304, maxUsage: null }],
    threads: 5,
    threadsMax: 1_024,
    // runc made weight 39 of 1000 shares.
    limits: { cpuShares: 998, cpuPeriod: 100_000, cpuQuota: 20_000, memoryReservation: 0 },
  });
  expect(reader.cpuTime('/pod/c1')).toBe(3_500_000_000n);
  expect(reader.threads('/pod/c1')).toBe(5);
  const processes = reader.processes('/pod/c1');
  expect([processes.length, processes[0], processes.at(-1)]).toEqual([3_000, 100_000, 102_999]);
});

test('v2 leaves out what the kernel does not tell', () => {
  const reader = v2Reader();
  expect(reader.usage('/pod/c2')).toMatchObject({
    cpu: { usageNs: 10_000n, pressure: null },
    memory: { usage: 1_000, workingSet: 0, limit: null, pressure: null },
    swap: null,
    ioPressure: null,
  });
  expect(reader.detail('/pod/c2')).toMatchObject({
    throttling: null,
    memory: { kernel: 10, maxUsage: null, failures: null, oomKills: null },
    io: [],
    hugepages: [],
    threadsMax: 0,
    limits: { cpuShares: 2_597, cpuQuota: null, cpuPeriod: 100_000, memoryReservation: null },
  });
  expect(reader.usage('/pod/c3')).toEqual({
    cpu: { usageNs: 7_000n, pressure: null },
    memory: null,
    swap: null,
    ioPressure: null,
  });
});

const V1 = {
  'cpuacct/k8s/c1/cpuacct.usage': '18014398509481985\n',
  'cpuacct/k8s/c1/cpuacct.usage_user': '15\n',
  'cpuacct/k8s/c1/cpuacct.usage_sys': '7\n',
  'cpu/k8s/c1/cpu.stat': 'nr_periods 3\nnr_throttled 2\nthrottled_time 999\nnr_bursts 0\nburst_time 0\n',
  'cpu/k8s/c1/cpu.shares': '512\n',
  'cpu/k8s/c1/cpu.cfs_period_us': '100000\n',
  'cpu/k8s/c1/cpu.cfs_quota_us': '-1\n',
  'memory/k8s/c1/memory.usage_in_bytes': '1000\n',
  'memory/k8s/c1/memory.limit_in_bytes': '4000\n',
  'memory/k8s/c1/memory.memsw.limit_in_bytes': '6000\n',
  'memory/k8s/c1/memory.max_usage_in_bytes': '3000\n',
  'memory/k8s/c1/memory.soft_limit_in_bytes': '9223372036854771712\n',
  'memory/k8s/c1/memory.failcnt': '4\n',
  'memory/k8s/c1/memory.kmem.usage_in_bytes': '77\n',
  'memory/k8s/c1/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
  'memory/k8s/c1/memory.stat':
    'cache 1\nrss 2\nmapped_file 3\nswap 0\npgfault 4\npgmajfault 5\ninactive_file 6\n' +
    'hierarchical_memory_limit 4000\ntotal_cache 10\ntotal_rss 20\ntotal_mapped_file 30\ntotal_swap 11\n' +
    'total_pgfault 40\ntotal_pgmajfault 50\ntotal_inactive_file 60\n',
  'pids/k8s/c1/pids.current': '2\n',
  'pids/k8s/c1/pids.max': 'max\n',
  'pids/k8s/c1/cgroup.procs': '11\n12\n',
  'blkio/k8s/c1/blkio.throttle.io_service_bytes_recursive':
    '8:0 Read 4096\n8:0 Write 0\n8:0 Sync 4096\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 4096\nTotal 4096\n',
  'blkio/k8s/c1/blkio.throttle.io_serviced_recursive': '8:0 Read 3\n8:0 Write 0\n8:0 Total 3\nTotal 3\n',
  'hugetlb/k8s/c1/hugetlb.2MB.usage_in_bytes': '0\n',
  'hugetlb/k8s/c1/hugetlb.2MB.max_usage_in_bytes': '2097152\n',
  // Half of a container that is being removed.
  'cpuacct/k8s/c2/cpuacct.usage': '5\n',
  'memory/k8s/c3/memory.usage_in_bytes': '5\n',
  'memory/k8s/c3/memory.stat': 'total_rss 5\n',
};

function v1Reader() {
  const dir = tree('v1', V1);
  const mounts = [
    mount('cgroup2', `${dir}/unified`, ['rw']),
    mount('cgroup', `${dir}/cpu`, ['rw', 'cpu']),
    ...['cpuacct', 'memory', 'pids', 'blkio', 'hugetlb'].map((name) =>
      mount('cgroup', `${dir}/${name}`, ['rw', name]),
    ),
  ];
  return createCgroupReader({ cgroup: 'v1', mounts, hugepageSizes: ['2MB'] });
}

test('v1 tells usage of the whole branch, without pressure', () => {
  const reader = v1Reader();
  expect(reader.usage('/k8s/c1')).toEqual({
    cpu: { usageNs: 18_014_398_509_481_985n, pressure: null },
    memory: {
      usage: 1_000,
      workingSet: 940,
      limit: 4_000,
      rss: 20,
      cache: 10,
      mappedFile: 30,
      pageFaults: 40,
      majorPageFaults: 50,
      pressure: null,
    },
    swap: { usage: 11, limit: 2_000 },
    ioPressure: null,
  });
  expect(reader.detail('/k8s/c1')).toEqual({
    userNs: 15n,
    systemNs: 7n,
    throttling: { periods: 3, throttledPeriods: 2, throttledNs: 999n },
    memory: { kernel: 77, maxUsage: 3_000, failures: 4, oomKills: 3 },
    io: [
      { major: 8, minor: 0, operation: 'Read', bytes: 4_096, operations: 3 },
      { major: 8, minor: 0, operation: 'Write', bytes: 0, operations: 0 },
    ],
    hugepages: [{ size: '2MB', usage: 0, maxUsage: 2_097_152 }],
    threads: 2,
    threadsMax: 0,
    limits: { cpuShares: 512, cpuPeriod: 100_000, cpuQuota: null, memoryReservation: null },
  });
  expect(reader.processes('/k8s/c1')).toEqual([11, 12]);
});

test.each([
  ['without memory', '/k8s/c2'],
  ['without processor time', '/k8s/c3'],
  ['gone altogether', '/k8s/none'],
])('a cgroup %s is gone', (_, dir) => {
  expect(v1Reader().usage(dir)).toBeNull();
  expect(v1Reader().detail('/k8s/none')).toBeNull();
});

test('what is gone is gone on v2 too', () => {
  const reader = v2Reader();
  expect(reader.usage('/pod/none')).toBeNull();
  expect(reader.detail('/pod/none')).toBeNull();
  expect(reader.cpuTime('/pod/none')).toBeNull();
  expect(reader.threads('/pod/none')).toBeNull();
  expect(reader.processes('/pod/none')).toEqual([]);
});
