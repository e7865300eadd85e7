// What is read of a cgroup, whichever version the machine has. Bytes and counts are numbers,
// times are nanoseconds. What the kernel does not tell is null, and is never shown as zero.

/** Pressure stall information of one resource. */
export interface Pressure {
  some: PressureLine;
  /** Null where the kernel tells only of `some`. */
  full: PressureLine | null;
}

export interface PressureLine {
  /** Per cent of the last 10, 60 and 300 seconds. */
  avg10: number;
  avg60: number;
  avg300: number;
  totalNs: bigint;
}

export interface MemoryUsage {
  /** All that is charged, caches included. */
  usage: number;
  /** Less the file cache that would be dropped first. */
  workingSet: number;
  /** Null without a limit of its own. */
  limit: number | null;
  rss: number;
  cache: number;
  mappedFile: number;
  pageFaults: number;
  majorPageFaults: number;
  pressure: Pressure | null;
}

export interface SwapUsage {
  usage: number;
  /** Null without a limit of its own. */
  limit: number | null;
}

/** What the stats of a container or pod are made of. */
export interface CgroupUsage {
  /** Null where no controller counts processor time. */
  cpu: { usageNs: bigint; pressure: Pressure | null } | null;
  memory: MemoryUsage | null;
  /** Null where the kernel does not count swap. */
  swap: SwapUsage | null;
  ioPressure: Pressure | null;
}

/** What the metrics tell beyond that. */
export interface CgroupDetail {
  userNs: bigint | null;
  systemNs: bigint | null;
  throttling: { periods: number; throttledPeriods: number; throttledNs: bigint } | null;
  memory: {
    kernel: number | null;
    maxUsage: number | null;
    /** How often the limit was met. */
    failures: number | null;
    oomKills: number | null;
  };
  /** For each device that the cgroup read from or wrote to. */
  io: IoCount[];
  hugepages: { size: string; usage: number; maxUsage: number | null }[];
  threads: number | null;
  /** 0 without a limit. */
  threadsMax: number | null;
  limits: {
    cpuShares: number | null;
    /** Microseconds. */
    cpuPeriod: number | null;
    /** Microseconds for each period, null without a limit. */
    cpuQuota: number | null;
    /** In bytes, null without a limit. */
    memoryReservation: number | null;
  };
}

export interface IoCount {
  major: number;
  minor: number;
  operation: 'Read' | 'Write';
  bytes: number;
  operations: number;
}

/** The text of a file of one cgroup, null where there is none. v2 has all controllers in one place. */
export type ReadFile = (controller: Controller, file: string) => string | null;

export const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'hugetlb'] as const;

export type Controller = (typeof CONTROLLERS)[number];
