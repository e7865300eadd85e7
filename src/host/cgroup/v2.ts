import { countIn, fieldIn, ioStatIn, limitIn, nsIn, numberIn, pressureIn } from './parse.ts';
import type { CgroupDetail, CgroupUsage, MemoryUsage, ReadFile } from './usage.ts';

/** Processor time of a cgroup v2 in nanoseconds, null when it is gone. */
export function cpuTimeV2(read: ReadFile): bigint | null {
  const stat = read('cpu', 'cpu.stat');
  return stat === null ? null : nsIn(stat, 'usage_usec');
}

export function usageV2(read: ReadFile): CgroupUsage {
  const memory = memoryV2(read);
  const swap = numberIn(read('memory', 'memory.swap.current'));
  const ioPressure = pressureIn(read('blkio', 'io.pressure'));
  const pressure = pressureIn(read('cpu', 'cpu.pressure'));
  const usageNs = cpuTimeV2(read);
  return {
    cpu: usageNs === null ? null : { usageNs, pressure },
    memory,
    swap: swap === null ? null : { usage: swap, limit: limitIn(read('memory', 'memory.swap.max')) },
    ioPressure,
  };
}

function memoryV2(read: ReadFile): MemoryUsage | null {
  const stat = read('memory', 'memory.stat');
  const usage = numberIn(read('memory', 'memory.current'));
  if (stat === null || usage === null) return null;
  return {
    usage,
    workingSet: Math.max(0, usage - countIn(stat, 'inactive_file')),
    limit: limitIn(read('memory', 'memory.max')),
    rss: countIn(stat, 'anon'),
    cache: countIn(stat, 'file'),
    mappedFile: countIn(stat, 'file_mapped'),
    pageFaults: countIn(stat, 'pgfault'),
    majorPageFaults: countIn(stat, 'pgmajfault'),
    pressure: pressureIn(read('memory', 'memory.pressure')),
  };
}

export function detailV2(read: ReadFile, hugepageSizes: readonly string[]): CgroupDetail {
  const cpuStat = read('cpu', 'cpu.stat') ?? '';
  const memoryStat = read('memory', 'memory.stat');
  const events = read('memory', 'memory.events');
  const weight = numberIn(read('cpu', 'cpu.weight'));
  const [quota = null, period = null] = read('cpu', 'cpu.max')?.trim().split(' ') ?? [];
  const threadsMax = read('pids', 'pids.max');
  return {
    userNs: nsIn(cpuStat, 'user_usec'),
    systemNs: nsIn(cpuStat, 'system_usec'),
    throttling: fieldIn(cpuStat, 'nr_periods') === null ? null : throttlingV2(cpuStat),
    memory: {
      kernel: memoryStat === null ? null : kernelMemory(memoryStat),
      maxUsage: numberIn(read('memory', 'memory.peak')),
      failures: events === null ? null : countIn(events, 'max'),
      oomKills: events === null ? null : countIn(events, 'oom_kill'),
    },
    io: ioStatIn(read('blkio', 'io.stat')),
    hugepages: hugepageSizes.flatMap((size) => {
      const usage = numberIn(read('hugetlb', `hugetlb.${size}.current`));
      // v2 keeps no record of the most that was used.
      return usage === null ? [] : [{ size, usage, maxUsage: null }];
    }),
    threads: numberIn(read('pids', 'pids.current')),
    threadsMax: threadsMax === null ? null : (limitIn(threadsMax) ?? 0),
    limits: {
      cpuShares: weight === null ? null : sharesFromWeight(weight),
      cpuPeriod: numberIn(period),
      cpuQuota: numberIn(quota),
      memoryReservation: limitIn(read('memory', 'memory.min')),
    },
  };
}

function throttlingV2(stat: string): CgroupDetail['throttling'] {
  return {
    periods: countIn(stat, 'nr_periods'),
    throttledPeriods: countIn(stat, 'nr_throttled'),
    throttledNs: nsIn(stat, 'throttled_usec'),
  };
}

/** Kernels before 5.18 tell only the parts. */
function kernelMemory(stat: string): number {
  const all = numberIn(fieldIn(stat, 'kernel'));
  if (all !== null) return all;
  const parts = ['kernel_stack', 'pagetables', 'percpu', 'slab'];
  return parts.reduce((sum, key) => sum + countIn(stat, key), 0);
}

/** The inverse of what runtimes do with shares on v2: 2 to 262144 became 1 to 10000, in a straight line. */
function sharesFromWeight(weight: number): number {
  return Math.round(2 + ((weight - 1) * 262_142) / 9_999);
}
