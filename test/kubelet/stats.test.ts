import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCni } from '../fixtures/cni.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import { busyboxImage, pushImage } from '../fixtures/images.ts';
import type { PrivateKubelet } from '../fixtures/kubelet.ts';
import { startKubelet } from '../fixtures/kubelet.ts';
import { eventually } from '../fixtures/processes.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { whyNotKubelet } from '../fixtures/tools.ts';

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
  const stack = new AsyncDisposableStack();
  let cristal: PrivateCristal;
  let kubelet: PrivateKubelet;

  beforeAll(async () => {
    const registry = stack.use(await startRegistry());
    const cni = stack.use(createCni());
    await pushImage(registry.url, 'busybox', '1', await busyboxImage({ config: { Env: ['PATH=/bin'] } }));
    const containerd = stack.use(await startContainerd({ version: '2.3' }));
    cristal = stack.use(await startCristal({ containerd, cni, certsDir: registry.certsDir }));
    kubelet = stack.use(
      await startKubelet({ cri: cristal.address, featureGates: { PodAndContainerStatsFromCRI: true } }),
    );
    kubelet.putPod('busy', busyManifest(`${registry.host}/busybox:1`));
  });
  afterAll(async () => {
    if (kubelet) {
      kubelet.removePod('busy');
      const { runtime } = cristal.cri;
      await eventually(
        async () =>
          (await runtime.listPodSandbox({})).items.every(({ state }) => state === 'SANDBOX_NOTREADY'),
        30_000,
      );
      for (const { id } of (await runtime.listPodSandbox({})).items) {
        await runtime.removePodSandbox({ podSandboxId: id });
      }
    }
    await stack.disposeAsync();
  });

  const podNow = async () => {
    const { pods } = JSON.parse(await kubelet.get('/stats/summary')) as Summary;
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
    const { containers } = await cristal.cri.runtime.listContainers({});
    const metrics = await kubelet.get('/metrics/cadvisor');
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
