import { expect, test } from 'vitest';
import { fullReading, fullSource } from '../fixtures.ts';
import { METRICS, metricDescriptors, metricsOf } from './table.ts';

/** What cAdvisor calls them, as far as critest and the kubelet look for them in the CRI. */
const EXPECTED = `
  blkio_device_usage_total cpu_cfs_periods_total cpu_cfs_throttled_periods_total cpu_cfs_throttled_seconds_total
  cpu_system_seconds_total cpu_usage_seconds_total cpu_user_seconds_total file_descriptors fs_inodes_free
  fs_inodes_total fs_limit_bytes fs_reads_bytes_total fs_reads_total fs_usage_bytes fs_writes_bytes_total
  fs_writes_total hugetlb_max_usage_bytes hugetlb_usage_bytes last_seen memory_cache memory_failcnt
  memory_failures_total memory_kernel_usage memory_mapped_file memory_max_usage_bytes memory_rss memory_swap
  memory_usage_bytes memory_working_set_bytes network_receive_bytes_total network_receive_errors_total
  network_receive_packets_dropped_total network_receive_packets_total network_transmit_bytes_total
  network_transmit_errors_total network_transmit_packets_dropped_total network_transmit_packets_total
  oom_events_total pressure_cpu_stalled_seconds_total pressure_cpu_waiting_seconds_total
  pressure_io_stalled_seconds_total pressure_io_waiting_seconds_total pressure_memory_stalled_seconds_total
  pressure_memory_waiting_seconds_total processes sockets spec_cpu_period spec_cpu_quota spec_cpu_shares
  spec_memory_limit_bytes spec_memory_reservation_limit_bytes spec_memory_swap_limit_bytes start_time_seconds
  threads threads_max ulimits_soft`
  .trim()
  .split(/\s+/)
  .map((name) => `container_${name}`);

const base = {
  container: 'main',
  id: '/pod/c1',
  image: 'app:1',
  name: 'c1',
  namespace: 'default',
  pod: 'web',
};

test('all names, once, each with a help text', () => {
  expect(EXPECTED).toHaveLength(56);
  expect(METRICS.map(({ name }) => name).toSorted()).toEqual(EXPECTED);
  for (const { help } of METRICS) expect(help).toMatch(/^[A-Z].+\.$/);
});

test('every metric that can be told has as many values as its descriptor has keys', () => {
  const keys = new Map(metricDescriptors().map(({ name, labelKeys }) => [name, labelKeys]));
  const metrics = metricsOf(fullSource(), base);
  expect(new Set(metrics.map(({ name }) => name))).toEqual(new Set(EXPECTED));
  for (const { name = '', labelValues = [], value } of metrics) {
    expect([name, labelValues.length]).toEqual([name, keys.get(name)?.length]);
    expect(labelValues.slice(0, 6)).toEqual(['main', '/pod/c1', 'app:1', 'c1', 'default', 'web']);
    expect(String(value?.value)).toMatch(/^\d+$/);
  }
  const seen = metrics.map(({ name, labelValues }) => `${name} ${labelValues?.join()}`);
  expect(new Set(seen).size).toBe(seen.length);
});

test('values are in the units that the names say', () => {
  const reading = fullReading();
  const { memory } = reading.usage;
  const usage = {
    ...reading.usage,
    cpu: { usageNs: 12_999_999_999n, pressure: null },
    memory: memory && { ...memory, limit: null, pressure: null },
    swap: null,
  };
  const { cgroup } = fullSource();
  const source = fullSource({
    at: 1_795_000_000_900_000_000n,
    startedAt: 1_795_000_000_000_000_000n,
    cgroup: cgroup && { detail: cgroup.detail, usage },
  });
  const value = (name: string, ...labels: string[]) =>
    metricsOf(source, base)
      .find(
        (one) =>
          one.name === `container_${name}` && labels.every((label) => one.labelValues?.includes(label)),
      )
      ?.value?.value?.toString();
  expect(value('cpu_usage_seconds_total', 'total')).toBe('12');
  expect(value('start_time_seconds')).toBe('1795000000');
  expect(value('last_seen')).toBe('1795000000');
  expect(value('spec_memory_limit_bytes')).toBe('0');
  expect(value('memory_swap')).toBe('0');
  expect(value('blkio_device_usage_total', '/dev/8-0', '8', '0', 'Write')).toBe(`${2 ** 52}`);
  expect(value('fs_writes_total', '/dev/8-0')).toBe('4');
  expect(value('pressure_cpu_stalled_seconds_total')).toBeUndefined();
  expect(value('ulimits_soft', 'max_open_files')).toBe('1024');
});

test('only what was measured for an earlier call has a timestamp', () => {
  const stamped = metricsOf(fullSource(), base).filter(({ timestamp }) => timestamp !== 0);
  expect(stamped.map(({ name, timestamp }) => [name, timestamp])).toEqual([
    ['container_fs_usage_bytes', '77'],
  ]);
});

test('a pod tells nothing of what only containers have', () => {
  const pod = namesOfPod();
  expect(pod.has('container_processes')).toBe(false);
  expect(pod.has('container_fs_usage_bytes')).toBe(false);
  expect(pod.has('container_network_receive_bytes_total')).toBe(true);
  expect([...namesOfPod({ cgroup: null, interfaces: [] })]).toEqual([
    'container_last_seen',
    'container_start_time_seconds',
  ]);
});

function namesOfPod(over: object = {}): Set<string | undefined> {
  const source = fullSource({ scope: 'pod', processes: null, disk: null, ...over });
  return new Set(metricsOf(source, base).map(({ name }) => name));
}
