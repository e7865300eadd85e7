import { bigintIn, blkioIn, countIn, fieldIn, limitIn, numberIn } from './parse.ts';
import type { CgroupDetail, CgroupUsage, MemoryUsage, ReadFile, SwapUsage } from './usage.ts';

/** Processor time of a cgroup v1 in nanoseconds, null when it is gone. */
export function cpuTimeV1(read: ReadFile): bigint | null {
  return bigintIn(read('cpuacct', 'cpuacct.usage'));
}

/** v1 knows no pressure of single cgroups. */
export function usageV1(read: ReadFile): CgroupUsage {
  const stat = read('memory', 'memory.stat');
  const memory = stat === null ? null : memoryV1(read, stat);
  const swap = stat === null ? null : swapV1(read, { stat, limit: memory?.limit ?? null });
  const usageNs = cpuTimeV1(read);
  return { cpu: usageNs === null ? null : { usageNs, pressure: null }, memory, swap, ioPressure: null };
}

function memoryV1(read: ReadFile, stat: string): MemoryUsage | null {
  const usage = numberIn(read('memory', 'memory.usage_in_bytes'));
  if (usage === null) return null;
  return {
    usage,
    workingSet: Math.max(0, usage - countIn(stat, 'total_inactive_file')),
    limit: limitIn(read('memory', 'memory.limit_in_bytes')),
    rss: countIn(stat, 'total_rss'),
    cache: countIn(stat, 'total_cache'),
    mappedFile: countIn(stat, 'total_mapped_file'),
    pageFaults: countIn(stat, 'total_pgfault'),
    majorPageFaults: countIn(stat, 'total_pgmajfault'),
    pressure: null,
  };
}

/** v1 limits memory and swap together: what is above the limit of memory alone can only be swap. */
function swapV1(read: ReadFile, { stat, limit }: { stat: string; limit: number | null }): SwapUsage | null {
  const usage = numberIn(fieldIn(stat, 'total_swap'));
  if (usage === null) return null;
  const both = limitIn(read('memory', 'memory.memsw.limit_in_bytes'));
  return { usage, limit: both === null ? null : Math.max(0, both - (limit ?? 0)) };
}

export function detailV1(read: ReadFile, hugepageSizes: readonly string[]): CgroupDetail {
  const cpuStat = read('cpu', 'cpu.stat');
  const threadsMax = read('pids', 'pids.max');
  return {
    userNs: bigintIn(read('cpuacct', 'cpuacct.usage_user')),
    systemNs: bigintIn(read('cpuacct', 'cpuacct.usage_sys')),
    throttling: cpuStat === null ? null : throttlingV1(cpuStat),
    memory: {
      kernel: numberIn(read('memory', 'memory.kmem.usage_in_bytes')),
      maxUsage: numberIn(read('memory', 'memory.max_usage_in_bytes')),
      failures: numberIn(read('memory', 'memory.failcnt')),
      oomKills: numberIn(fieldIn(read('memory', 'memory.oom_control') ?? '', 'oom_kill')),
    },
    io: blkioIn(
      read('blkio', 'blkio.throttle.io_service_bytes_recursive'),
      read('blkio', 'blkio.throttle.io_serviced_recursive'),
    ),
    hugepages: hugepageSizes.flatMap((size) => {
      const usage = numberIn(read('hugetlb', `hugetlb.${size}.usage_in_bytes`));
      const maxUsage = numberIn(read('hugetlb', `hugetlb.${size}.max_usage_in_bytes`));
      return usage === null ? [] : [{ size, usage, maxUsage }];
    }),
    threads: numberIn(read('pids', 'pids.current')),
    threadsMax: threadsMax === null ? null : (limitIn(threadsMax) ?? 0),
    limits: {
      cpuShares: numberIn(read('cpu', 'cpu.shares')),
      cpuPeriod: numberIn(read('cpu', 'cpu.cfs_period_us')),
      cpuQuota: limitIn(read('cpu', 'cpu.cfs_quota_us')),
      memoryReservation: limitIn(read('memory', 'memory.soft_limit_in_bytes')),
    },
  };
}

function throttlingV1(stat: string): CgroupDetail['throttling'] {
  return {
    periods: countIn(stat, 'nr_periods'),
    throttledPeriods: countIn(stat, 'nr_throttled'),
    throttledNs: bigintIn(fieldIn(stat, 'throttled_time')) ?? 0n,
  };
}
