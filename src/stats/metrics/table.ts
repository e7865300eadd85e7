import type { Metric } from '../../gen/runtime/v1/Metric.ts';
import type { MetricDescriptor } from '../../gen/runtime/v1/MetricDescriptor.ts';
import { cpuMetrics } from './cpu.ts';
import { diskMetrics } from './disk.ts';
import type { MetricKind, MetricSource } from './kind.ts';
import { memoryMetrics } from './memory.ts';
import { networkMetrics } from './network.ts';
import { processMetrics } from './processes.ts';

/** Every metric that we tell, once. */
export const METRICS: readonly MetricKind[] = [
  ...cpuMetrics,
  ...memoryMetrics,
  ...diskMetrics,
  ...networkMetrics,
  ...processMetrics,
];

/** Labels that every metric has, with the meaning that they have in the kubelet's own. */
export interface BaseLabels {
  /** Empty for a pod, as `image`. */
  readonly container: string;
  /** The cgroup. */
  readonly id: string;
  readonly image: string;
  /** The id of the container or pod sandbox. */
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
}

const BASE_KEYS: readonly (keyof BaseLabels)[] = ['container', 'id', 'image', 'name', 'namespace', 'pod'];

export function metricDescriptors(): MetricDescriptor[] {
  return METRICS.map(({ name, help, labels }) => ({ name, help, labelKeys: [...BASE_KEYS, ...labels] }));
}

/**
 * The values of labels are in the order of the descriptors' keys. What is read for this call has the timestamp 0, as
 * the CRI wants it: Prometheus can then tell that a pod is gone.
 */
export function metricsOf(source: MetricSource, base: BaseLabels): Metric[] {
  const baseValues = BASE_KEYS.map((key) => base[key]);
  return METRICS.flatMap(({ name, type, samples }) =>
    samples(source).map(({ value, labels, cachedAt = 0n }) => ({
      name,
      timestamp: cachedAt === 0n ? 0 : cachedAt.toString(),
      metricType: type,
      labelValues: [...baseValues, ...labels],
      value: { value: typeof value === 'bigint' ? value.toString() : value },
    })),
  );
}
