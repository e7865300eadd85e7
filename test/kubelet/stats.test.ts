import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/processes.ts';
import { whyNotKubelet } from '../fixtures/tools.ts';
import type { KubeletWorld } from './world.ts';
import { createKubeletWorld } from './world.ts';

const MIB = 1024 * 1024;

/** As much of the kubelet's summary as we look at. */
interface Summary {
  pods: {
    podRef: { name: string };
    cpu?: { usageNanoCores?: number; usageCoreNanoSeconds: number };
    memory?: { workingSetBytes: number; availableBytes?: number };
    network?: { name: string; rxBytes: number };
    process_stats?: { process_count: number };
    containers: {
      name: string;
      cpu: { usageNanoCores?: number; usageCoreNanoSeconds: number };
      memory: { workingSetBytes: number; availableBytes?: number };
      rootfs: { usedBytes?: number; capacityBytes?: number };
    }[];
  }[];
}

// With this gate the kubelet takes every figure of pods and containers from the CRI, and none from its own cAdvisor.
describe.skipIf(whyNotKubelet('2.3'))('a kubelet with PodAndContainerStatsFromCRI', () => {
  let world: KubeletWorld;

  beforeAll(async () => {
    world = await createKubeletWorld('2.3', { featureGates: { PodAndContainerStatsFromCRI: true } });
    world.kubelet.putPod('busy', busyManifest(world.image));
  });
  afterAll(async () => {
    await world?.endPod('busy');
    await world?.[Symbol.asyncDispose]();
  });

  const podNow = async () => {
    const { pods } = JSON.parse(await world.kubelet.get('/stats/summary')) as Summary;
    return pods.find(({ podRef }) => podRef.name.startsWith('busy'));
  };

  test('its summary has the figures of the pod and its container', async () => {
    const complete = async (): Promise<boolean> => {
      const pod = await podNow();
      const [container] = pod?.containers ?? [];
      return (container?.rootfs.usedBytes ?? 0) >= 4 * MIB && (container?.cpu.usageNanoCores ?? 0) > 1e8;
    };
    expect(await eventually(complete, 60_000), JSON.stringify(await podNow())).toBe(true);
    const pod = await podNow();
    const [container] = pod?.containers ?? [];
    expect(container?.name).toBe('main');
    expect(container?.cpu.usageCoreNanoSeconds).toBeGreaterThan(1e8);
    expect(container?.memory.workingSetBytes).toBeGreaterThan(0);
    expect(container?.memory.availableBytes).toBeLessThan(64 * MIB);
    expect(container?.rootfs.capacityBytes).toBeGreaterThan(0);
    expect(pod?.cpu?.usageCoreNanoSeconds).toBeGreaterThan(1e8);
    expect(pod?.memory?.workingSetBytes).toBeGreaterThan(0);
    expect(pod?.network).toMatchObject({ name: 'eth0' });
    expect(pod?.network?.rxBytes).toBeGreaterThan(0);
    expect(pod?.process_stats?.process_count).toBe(1);
  });

  test('its /metrics/cadvisor has our metrics, under cAdvisor’s names and labels', async () => {
    const { containers } = await world.cristal.cri.runtime.listContainers({});
    const metrics = await world.kubelet.get('/metrics/cadvisor');
    const line = metrics
      .split('\n')
      .find(
        (text) => text.startsWith('container_memory_working_set_bytes{') && text.includes('container="main"'),
      );
    expect(line).toContain(`name="${containers[0]?.id}"`);
    expect(line).toMatch(/namespace="default",pod="busy-/);
    expect(metrics).toMatch(/container_cpu_usage_seconds_total\{container="main",cpu="total"/);
    expect(metrics).toMatch(/container_network_receive_bytes_total\{container="",.*interface="eth0"/);
  });
});

function busyManifest(image: string): object {
  const command = ['sh', '-c', 'dd if=/dev/zero of=/written bs=1M count=4; while true; do :; done'];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'busy', namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        { name: 'main', image, command, resources: { limits: { memory: '64Mi' }, requests: { cpu: '10m' } } },
      ],
    },
  };
}
