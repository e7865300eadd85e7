import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerdVersions, whyNotCrictl } from '../fixtures/tools.ts';
import type { CrictlWorld } from './world.ts';
import { createWorld, usesBuiltin } from './world.ts';

interface Value {
  value: string;
}
interface Stats {
  attributes: { id: string; metadata: { name: string } };
  cpu: { usageCoreNanoSeconds: Value };
  memory: { workingSetBytes: Value };
}
interface Metrics {
  podMetrics: {
    podSandboxId: string;
    containerMetrics: { containerId: string; metrics: { name: string; labelValues: string[] }[] }[];
  }[];
}

const BUSY = ['sh', '-c', 'while true; do :; done'];

describe.each(containerdVersions)('crictl against containerd %s', (version) => {
  // containerd 1.6's own CRI has no metrics.
  const noMetrics = usesBuiltin && version === '1.6';

  describe.skipIf(whyNotCrictl(version) !== null)('stats and metrics', () => {
    let world: CrictlWorld;
    let pod = '';
    let id = '';

    beforeAll(async () => {
      world = await createWorld(version);
      await world.crictl.text('pull', world.image);
      const podFile = world.podFile({ name: 'busy-pod', labels: { app: 'busy' } });
      pod = await world.crictl.text('runp', podFile);
      id = await world.crictl.text('create', pod, world.containerFile('busy', BUSY), podFile);
      await world.crictl.text('start', id);
      await sleep(1_000);
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    test('stats of a container that is busy', async () => {
      const { stats } = await world.crictl.json<{ stats: Stats[] }>('stats', '--id', id);
      expect(stats.map(({ attributes }) => attributes)).toMatchObject([{ id, metadata: { name: 'busy' } }]);
      expect(Number(stats[0]?.cpu.usageCoreNanoSeconds.value)).toBeGreaterThan(1e8);
      expect(Number(stats[0]?.memory.workingSetBytes.value)).toBeGreaterThan(0);
      const table = await world.crictl.text('stats', '-s', '2');
      const [, name, cpu, memory] =
        new RegExp(`${id.slice(0, 13)}\\s+(\\S+)\\s+(\\S+)\\s+(\\S+)`).exec(table) ?? [];
      expect(name).toBe('busy');
      expect(Number(cpu)).toBeGreaterThan(10);
      expect(memory).toMatch(/B$/);
    });

    test('statsp of its pod', async () => {
      interface Pod {
        attributes: { id: string };
        linux: { cpu: Stats['cpu']; containers: Stats[]; network: { defaultInterface: { name: string } } };
      }
      const { stats } = await world.crictl.json<{ stats: Pod[] }>('statsp', '--id', pod);
      expect(stats.map(({ attributes }) => attributes.id)).toEqual([pod]);
      const [linux] = stats.map((one) => one.linux);
      expect(linux?.network.defaultInterface.name).toBe('eth0');
      expect(linux?.containers.map(({ attributes }) => attributes.id)).toEqual([id]);
      expect(Number(linux?.cpu.usageCoreNanoSeconds.value)).toBeGreaterThan(1e8);
      expect(await world.crictl.text('statsp', '-s', '1')).toMatch(/busy-pod\s+\S+\s+[1-9][\d.]+\s+\S+B/);
    });

    test.skipIf(noMetrics)('metricdescs and metricsp', async () => {
      const { descriptors } = await world.crictl.json<{
        descriptors: { name: string; labelKeys: string[] }[];
      }>('metricdescs');
      const keys = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys]));
      expect(keys.size).toBeGreaterThanOrEqual(usesBuiltin ? 40 : 56);
      const { podMetrics } = await world.crictl.json<Metrics>('metricsp');
      const mine = podMetrics.find(({ podSandboxId }) => podSandboxId === pod);
      const metrics = mine?.containerMetrics.find(({ containerId }) => containerId === id)?.metrics ?? [];
      const usage = metrics.find(({ name }) => name === 'container_memory_working_set_bytes');
      const labels = keys.get(usage?.name ?? '')?.map((key, index) => [key, usage?.labelValues[index]]);
      expect(Object.fromEntries(labels ?? [])).toMatchObject({
        container: 'busy',
        pod: 'busy-pod',
        namespace: 'default',
      });
    });
  });
});
