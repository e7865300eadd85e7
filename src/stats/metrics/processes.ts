import type { MetricKind } from './kind.ts';
import { one, plain, seconds } from './kind.ts';

/** Processes, their files, and the limits that a container was given. */
export const processMetrics: readonly MetricKind[] = [
  plain(['container_last_seen', 'GAUGE', 'When it was last seen, in seconds since 1970.'], ({ at }) =>
    seconds(at),
  ),
  plain(
    ['container_start_time_seconds', 'GAUGE', 'When it started, in seconds since 1970.'],
    ({ startedAt }) => seconds(startedAt),
  ),
  plain(
    ['container_processes', 'GAUGE', 'Processes in the container.'],
    ({ processes }) => processes?.processes,
  ),
  plain(
    ['container_file_descriptors', 'GAUGE', 'Files that its processes have open.'],
    ({ processes }) => processes?.openFiles,
  ),
  plain(
    ['container_sockets', 'GAUGE', 'Sockets that its processes have open.'],
    ({ processes }) => processes?.sockets,
  ),
  plain(['container_threads', 'GAUGE', 'Threads of all processes.'], ({ cgroup }) => cgroup?.detail.threads),
  plain(
    ['container_threads_max', 'GAUGE', 'How many threads there may be, 0 for any number.'],
    ({ cgroup }) => cgroup?.detail.threadsMax,
  ),
  {
    name: 'container_ulimits_soft',
    type: 'GAUGE',
    help: 'Soft limits of the first process.',
    labels: ['ulimit'],
    samples: ({ processes }) => one(processes?.openFilesLimit, 'max_open_files'),
  },
  plain(
    ['container_spec_cpu_period', 'GAUGE', 'Period of the processor quota, in microseconds.'],
    ({ cgroup }) => cgroup?.detail.limits.cpuPeriod,
  ),
  plain(
    ['container_spec_cpu_quota', 'GAUGE', 'Processor time in each period, in microseconds.'],
    ({ cgroup }) => cgroup?.detail.limits.cpuQuota,
  ),
  plain(
    ['container_spec_cpu_shares', 'GAUGE', 'Weight in the share-out of processor time.'],
    ({ cgroup }) => cgroup?.detail.limits.cpuShares,
  ),
  plain(
    ['container_spec_memory_limit_bytes', 'GAUGE', 'Limit of memory in bytes, 0 for none.'],
    ({ cgroup }) => cgroup && (cgroup.usage.memory?.limit ?? 0),
  ),
  plain(
    ['container_spec_memory_reservation_limit_bytes', 'GAUGE', 'Memory kept for it in bytes, 0 for none.'],
    ({ cgroup }) => cgroup && (cgroup.detail.limits.memoryReservation ?? 0),
  ),
  plain(
    ['container_spec_memory_swap_limit_bytes', 'GAUGE', 'Limit of swap in bytes, 0 for none.'],
    ({ cgroup }) => cgroup && (cgroup.usage.swap?.limit ?? 0),
  ),
];
