import type { CgroupDetail, CgroupUsage } from '../../host/cgroup/usage.ts';
import type { Filesystem } from '../../host/filesystem.ts';
import type { InterfaceCounters } from '../../host/net-dev.ts';

/** What the metrics of one container, or of one pod as a whole, are taken from. */
export interface MetricSource {
  readonly scope: 'container' | 'pod';
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  readonly startedAt: bigint;
  /** Null for a pod without a cgroup of its own. */
  readonly cgroup: { usage: CgroupUsage; detail: CgroupDetail } | null;
  /** Null for a pod. */
  readonly processes: ProcessCounts | null;
  /** Null for a pod, and while nobody has measured it. */
  readonly disk: DiskCounts | null;
  /** None for a container: the network is the pod's. */
  readonly interfaces: readonly InterfaceCounters[];
  /** The node of a block device. */
  readonly deviceName: (major: number, minor: number) => string;
}

export interface ProcessCounts {
  readonly processes: number;
  readonly openFiles: number;
  readonly sockets: number;
  /** Of the first process; null when it is gone by now. */
  readonly openFilesLimit: number | null;
}

/** What a container wrote, and the file system that it lies on. */
export interface DiskCounts {
  readonly usedBytes: number;
  /** When that was measured, in nanoseconds since the epoch. */
  readonly measuredAt: bigint;
  /** Null where the snapshotter's directory is not to be found from here. */
  readonly filesystem: Filesystem | null;
}

/** One figure of a metric. Where the kernel does not tell it, there is none. */
export interface Sample {
  readonly value: number | bigint;
  /** In the order of the kind's own labels. */
  readonly labels: readonly string[];
  /** When it was measured in nanoseconds since the epoch, where that was not for this call. */
  readonly cachedAt?: bigint;
}

/** A metric by cAdvisor's name, as dashboards know it. */
export interface MetricKind {
  readonly name: string;
  readonly help: string;
  readonly type: 'COUNTER' | 'GAUGE';
  /** Beyond those that every metric has. */
  readonly labels: readonly string[];
  readonly samples: (source: MetricSource) => Sample[];
}

type Value = number | bigint | null | undefined;

/** A metric with one figure, which has no labels of its own. */
export function plain(
  [name, type, help]: readonly [string, MetricKind['type'], string],
  value: (source: MetricSource) => Value,
): MetricKind {
  return { name, type, help, labels: [], samples: (source) => one(value(source)) };
}

/** None where the value is not known. */
export function one(value: Value, ...labels: string[]): Sample[] {
  return value === null || value === undefined ? [] : [{ value, labels }];
}

/** Whole seconds, since the CRI has no fractions; null stays null. */
export function seconds(ns: bigint | null | undefined): bigint | null {
  return ns === null || ns === undefined ? null : ns / 1_000_000_000n;
}
