import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { FaultWorld, Started } from '../faults/world.ts';
import { createFaultWorld } from '../faults/world.ts';
import { eventually } from '../fixtures/processes.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';

const MIB = 1024 * 1024;

/** What this machine cannot tell: v1 has no pressure, there is no hugetlb controller, a disk need not be written to. */
const MAY_BE_ABSENT = /^container_(pressure|hugetlb|blkio|fs_(reads|writes))_/;

describe.each<ContainerdVersion>(['1.6', '2.3'])('metrics on containerd %s', (version) => {
  let world: FaultWorld;
  let busy: Started;
  let cgroup: string;

  beforeAll(async () => {
    world = await createFaultWorld(version);
    const parent = world.pod('any')['linux'] as { cgroupParent: string };
    cgroup = `${parent.cgroupParent}/metrics`;
    const resources = {
      cpuPeriod: 100_000,
      cpuQuota: 20_000,
      cpuShares: 512,
      memoryLimitInBytes: 64 * MIB,
      memorySwapLimitInBytes: 64 * MIB,
    };
    const command = ['sh', '-c', 'nc -l -p 4000 & dd if=/dev/zero of=/f bs=1M count=8; exec sleep 3600'];
    busy = await world.runContainer(
      world.pod('metrics', { linux: { cgroupParent: cgroup } }),
      world.container('main', command, { linux: { resources } }),
    );
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  /** The metrics of the pod and its container, as maps from name and own labels to the value. */
  const metricsNow = async () => {
    const [{ podMetrics }, { descriptors }] = await Promise.all([
      world.cri.runtime.listPodSandboxMetrics({}),
      world.cri.runtime.listMetricDescriptors({}),
    ]);
    const ofPod = podMetrics.find(({ podSandboxId }) => podSandboxId === busy.podId);
    const ofContainer = ofPod?.containerMetrics.find(({ containerId }) => containerId === busy.id);
    if (!ofPod || !ofContainer) throw new Error('no metrics of the pod and its container');
    return { descriptors, pod: ofPod.metrics, container: ofContainer.metrics };
  };

  test('all metrics have a descriptor, and the labels that it says', async () => {
    // The writable layer is measured in the background.
    const measured = async () => valueOf((await metricsNow()).container)('fs_usage_bytes') >= 8 * MIB;
    expect(await eventually(measured, 40_000)).toBe(true);
    const { descriptors, pod, container } = await metricsNow();
    expect(descriptors).toHaveLength(56);
    const keys = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys]));
    for (const { name, labelValues } of [...pod, ...container]) {
      expect([name, labelValues.length]).toEqual([name, keys.get(name)?.length]);
    }
    const told = new Set([...pod, ...container].map(({ name }) => name));
    const silent = [...keys.keys()].filter((name) => !told.has(name) && !MAY_BE_ABSENT.test(name));
    expect(silent).toEqual([]);
    const ids = keys.get('container_processes')?.map((key, index) => [key, container[0]?.labelValues[index]]);
    expect(Object.fromEntries(ids ?? [])).toEqual({
      container: 'main',
      id: `${cgroup}/${busy.id}`,
      image: world.image,
      name: busy.id,
      namespace: 'default',
      pod: 'metrics',
    });
  });

  // The kernel may count on between the daemon's look and ours, so the two are compared until they meet.
  test('the values are those of the kernel', async () => {
    await vi.waitFor(compareAll, { timeout: 20_000, interval: 300 });
  });

  const compareAll = async (): Promise<void> => {
    const { container, pod } = await metricsNow();
    const of = valueOf(container);
    const dir = `${cgroup}/${busy.id}`;
    const read = (controller: string, file: string) => cgroupText(controller, dir, file);
    const pids = read('memory', 'cgroup.procs').split('\n');
    expect(pids).toHaveLength(2);
    expect(of('processes')).toBe(2);
    expect(of('threads')).toBe(Number(read('pids', 'pids.current')));
    expect(of('threads_max')).toBe(Number(read('pids', 'pids.max')) || 0);
    const files = pids.flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
    );
    expect(of('file_descriptors')).toBe(files.length);
    expect(of('sockets')).toBe(files.filter((file) => file.startsWith('socket:')).length);
    expect(of('sockets')).toBeGreaterThan(0);
    const limits = readFileSync(`/proc/${pids[0]}/limits`, 'utf8');
    expect(of('ulimits_soft', 'max_open_files')).toBe(Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]));
    expect(of('spec_cpu_period')).toBe(100_000);
    expect(of('spec_cpu_quota')).toBe(20_000);
    expect(of('spec_cpu_shares')).toBe(512);
    expect(of('spec_memory_limit_bytes')).toBe(64 * MIB);
    expect(of('spec_memory_swap_limit_bytes')).toBe(0);
    expect(of('memory_failcnt')).toBe(Number(read('memory', 'memory.failcnt')));
    expect(of('oom_events_total')).toBe(0);
    expect(Math.abs(of('memory_usage_bytes') - Number(read('memory', 'memory.usage_in_bytes')))).toBeLessThan(
      MIB,
    );
    expect(of('memory_max_usage_bytes')).toBe(Number(read('memory', 'memory.max_usage_in_bytes')));
    expect(of('memory_cache')).toBeGreaterThan(7 * MIB);
    expect(of('memory_failures_total', 'pgfault', 'container')).toBeGreaterThan(100);
    expect(of('cpu_cfs_periods_total')).toBeGreaterThan(0);
    expect(of('fs_limit_bytes')).toBeGreaterThan(of('fs_usage_bytes'));
    expect(of('fs_inodes_total')).toBeGreaterThan(of('fs_inodes_free'));
    expect(Math.abs(of('start_time_seconds') - Date.now() / 1000)).toBeLessThan(120);
    expect(Math.abs(of('last_seen') - Date.now() / 1000)).toBeLessThan(10);

    const netDev = readFileSync(`/proc/${pids[0]}/net/dev`, 'utf8');
    const [rxBytes, rxPackets] = /^\s*eth0:\s*(\d+)\s+(\d+)/m.exec(netDev)?.slice(1).map(Number) ?? [];
    const podOf = valueOf(pod);
    expect(rxBytes ?? 0).toBeGreaterThan(0);
    expect(podOf('network_receive_bytes_total', 'eth0')).toBeLessThanOrEqual(rxBytes ?? 0);
    expect(podOf('network_receive_packets_total', 'eth0')).toBeGreaterThan((rxPackets ?? 0) - 10);
    expect(podOf('memory_usage_bytes')).toBeGreaterThanOrEqual(of('memory_rss'));
  };

  test('what is held back by its quota, or killed for want of memory, is counted', async () => {
    // The shell itself is small: the kernel kills its child.
    const command = ['sh', '-c', 'dd if=/dev/zero of=/dev/null bs=200M count=1; while true; do :; done'];
    const resources = { cpuPeriod: 100_000, cpuQuota: 10_000, memoryLimitInBytes: 16 * MIB };
    const pod = world.pod('held', { linux: { cgroupParent: `${cgroup}-held` } });
    const held = await world.runContainer(pod, world.container('held', command, { linux: { resources } }));
    const ofHeld = async () => {
      const { podMetrics } = await world.cri.runtime.listPodSandboxMetrics({});
      const found = podMetrics.find(({ podSandboxId }) => podSandboxId === held.podId)?.containerMetrics[0];
      return valueOf(found?.metrics ?? []);
    };
    const counted = await eventually(async () => {
      const of = await ofHeld();
      return of('oom_events_total') === 1 && of('cpu_cfs_throttled_seconds_total') >= 1;
    }, 30_000);
    expect(counted).toBe(true);
    const of = await ofHeld();
    expect(of('cpu_cfs_throttled_periods_total')).toBeGreaterThan(5);
    expect(of('cpu_cfs_periods_total')).toBeGreaterThanOrEqual(of('cpu_cfs_throttled_periods_total'));
    expect(of('memory_max_usage_bytes')).toBe(16 * MIB);
    expect(await world.containerState(held.id)).toBe('CONTAINER_RUNNING');
    await world.cri.runtime.removePodSandbox({ podSandboxId: held.podId });
  });

  test('the stream has the same', async () => {
    const streamed = [];
    for await (const { podSandboxMetrics } of world.cri.streams.streamPodSandboxMetrics({})) {
      streamed.push(...podSandboxMetrics);
    }
    const { podMetrics } = await world.cri.runtime.listPodSandboxMetrics({});
    expect(idsOf(streamed)).toEqual(idsOf(podMetrics));
    expect(streamed[0]?.containerMetrics[0]?.metrics.length).toBe(
      podMetrics[0]?.containerMetrics[0]?.metrics.length,
    );
  });
});

interface Told {
  name: string;
  labelValues: string[];
  value: { value: string } | null;
}

/** Looks up a metric by its name, without the prefix that all have, and by some of its labels. */
function valueOf(metrics: Told[]) {
  return (name: string, ...labels: string[]): number => {
    const found = metrics.find(
      (one) => one.name === `container_${name}` && labels.every((label) => one.labelValues.includes(label)),
    );
    return Number(found?.value?.value);
  };
}

function idsOf(all: { podSandboxId: string }[]): string[] {
  return all.map(({ podSandboxId }) => podSandboxId).toSorted();
}

function cgroupText(controller: string, path: string, file: string): string {
  return readFileSync(`/sys/fs/cgroup/${controller}${path}/${file}`, 'utf8').trim();
}
