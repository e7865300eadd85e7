import type { Pressure } from '../../host/cgroup/usage.ts';
import type { MetricKind, MetricSource } from './kind.ts';
import { one, plain, seconds } from './kind.ts';

/** Processor time, what held it back, and what it waited for. */
export const cpuMetrics: readonly MetricKind[] = [
  plain(
    ['container_cpu_user_seconds_total', 'COUNTER', 'Processor time spent in user mode, in seconds.'],
    ({ cgroup }) => seconds(cgroup?.detail.userNs),
  ),
  plain(
    ['container_cpu_system_seconds_total', 'COUNTER', 'Processor time spent in the kernel, in seconds.'],
    ({ cgroup }) => seconds(cgroup?.detail.systemNs),
  ),
  {
    name: 'container_cpu_usage_seconds_total',
    type: 'COUNTER',
    help: 'Processor time spent, in seconds.',
    labels: ['cpu'],
    samples: ({ cgroup }) => one(seconds(cgroup?.usage.cpu?.usageNs), 'total'),
  },
  plain(
    ['container_cpu_cfs_periods_total', 'COUNTER', 'Periods in which the processor quota was enforced.'],
    ({ cgroup }) => cgroup?.detail.throttling?.periods,
  ),
  plain(
    ['container_cpu_cfs_throttled_periods_total', 'COUNTER', 'Periods in which the quota was used up.'],
    ({ cgroup }) => cgroup?.detail.throttling?.throttledPeriods,
  ),
  plain(
    ['container_cpu_cfs_throttled_seconds_total', 'COUNTER', 'Time held back by the quota, in seconds.'],
    ({ cgroup }) => seconds(cgroup?.detail.throttling?.throttledNs),
  ),
  ...pressureMetrics('cpu', 'a processor', ({ cgroup }) => cgroup?.usage.cpu?.pressure),
  ...pressureMetrics('memory', 'memory', ({ cgroup }) => cgroup?.usage.memory?.pressure),
  ...pressureMetrics('io', 'block devices', ({ cgroup }) => cgroup?.usage.ioPressure),
];

function pressureMetrics(
  resource: string,
  words: string,
  pressureOf: (source: MetricSource) => Pressure | null | undefined,
): MetricKind[] {
  const prefix = `container_pressure_${resource}`;
  return [
    plain(
      [`${prefix}_stalled_seconds_total`, 'COUNTER', `Seconds in which all tasks waited for ${words}.`],
      (source) => seconds(pressureOf(source)?.full?.totalNs),
    ),
    plain(
      [`${prefix}_waiting_seconds_total`, 'COUNTER', `Seconds in which some task waited for ${words}.`],
      (source) => seconds(pressureOf(source)?.some.totalNs),
    ),
  ];
}
