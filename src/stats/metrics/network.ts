import type { TrafficCounters } from '../../host/net-dev.ts';
import type { MetricKind } from './kind.ts';
import { one } from './kind.ts';

const COUNTED: readonly (readonly [string, keyof TrafficCounters, string])[] = [
  ['bytes_total', 'bytes', 'Bytes'],
  ['packets_total', 'packets', 'Packets'],
  ['packets_dropped_total', 'dropped', 'Packets dropped while'],
  ['errors_total', 'errors', 'Errors while'],
];

/** Traffic of a pod's interfaces. */
export const networkMetrics: readonly MetricKind[] = [
  ...direction('receive', 'rx'),
  ...direction('transmit', 'tx'),
];

function direction(verb: 'receive' | 'transmit', side: 'rx' | 'tx'): MetricKind[] {
  return COUNTED.map(([suffix, key, words]) => ({
    name: `container_network_${verb}_${suffix}`,
    help: words.endsWith('while') ? `${words} the pod ${verb}s.` : `${words} that the pod ${verb}s.`,
    type: 'COUNTER',
    labels: ['interface'],
    samples: ({ interfaces }) => interfaces.flatMap((each) => one(each[side][key], each.name)),
  }));
}
