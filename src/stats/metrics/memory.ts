import type { MetricKind } from './kind.ts';
import { one, plain } from './kind.ts';

/** Memory, swap and huge pages. */
export const memoryMetrics: readonly MetricKind[] = [
  plain(
    ['container_memory_cache', 'GAUGE', 'Page cache, in bytes.'],
    ({ cgroup }) => cgroup?.usage.memory?.cache,
  ),
  plain(
    ['container_memory_rss', 'GAUGE', 'Anonymous memory and swap cache, in bytes.'],
    ({ cgroup }) => cgroup?.usage.memory?.rss,
  ),
  plain(
    ['container_memory_kernel_usage', 'GAUGE', 'Memory that the kernel holds for it, in bytes.'],
    ({ cgroup }) => cgroup?.detail.memory.kernel,
  ),
  plain(
    ['container_memory_mapped_file', 'GAUGE', 'Files mapped into memory, in bytes.'],
    ({ cgroup }) => cgroup?.usage.memory?.mappedFile,
  ),
  plain(
    ['container_memory_swap', 'GAUGE', 'Swap in use, in bytes.'],
    // Where the kernel does not count swap, a container has none that it could be charged for.
    ({ cgroup }) => cgroup && (cgroup.usage.swap?.usage ?? 0),
  ),
  plain(
    ['container_memory_failcnt', 'COUNTER', 'How often memory met its limit.'],
    ({ cgroup }) => cgroup?.detail.memory.failures,
  ),
  plain(
    ['container_memory_usage_bytes', 'GAUGE', 'All memory charged, caches included, in bytes.'],
    ({ cgroup }) => cgroup?.usage.memory?.usage,
  ),
  plain(
    ['container_memory_max_usage_bytes', 'GAUGE', 'The most memory ever charged, in bytes.'],
    ({ cgroup }) => cgroup?.detail.memory.maxUsage,
  ),
  plain(
    ['container_memory_working_set_bytes', 'GAUGE', 'Memory in use without inactive file cache, in bytes.'],
    ({ cgroup }) => cgroup?.usage.memory?.workingSet,
  ),
  {
    name: 'container_memory_failures_total',
    type: 'COUNTER',
    help: 'Page faults; the major ones had to read from disk.',
    labels: ['failure_type', 'scope'],
    samples: ({ cgroup, scope }) => {
      const memory = cgroup?.usage.memory;
      // A container's cgroup has its processes itself, a pod's has them all below.
      const scopes = scope === 'container' ? ['container', 'hierarchy'] : ['hierarchy'];
      return scopes.flatMap((name) => [
        ...one(memory?.pageFaults, 'pgfault', name),
        ...one(memory?.majorPageFaults, 'pgmajfault', name),
      ]);
    },
  },
  plain(
    ['container_oom_events_total', 'COUNTER', 'Processes that the kernel killed for want of memory.'],
    ({ cgroup }) => cgroup?.detail.memory.oomKills,
  ),
  {
    name: 'container_hugetlb_usage_bytes',
    type: 'GAUGE',
    help: 'Huge pages in use, in bytes.',
    labels: ['pagesize'],
    samples: ({ cgroup }) => (cgroup?.detail.hugepages ?? []).flatMap(({ size, usage }) => one(usage, size)),
  },
  {
    name: 'container_hugetlb_max_usage_bytes',
    type: 'GAUGE',
    help: 'The most huge pages ever in use, in bytes.',
    labels: ['pagesize'],
    samples: ({ cgroup }) =>
      (cgroup?.detail.hugepages ?? []).flatMap(({ size, maxUsage }) => one(maxUsage, size)),
  },
];
