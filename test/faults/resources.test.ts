import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../fixtures/leaks.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld, Started } from './world.ts';
import { failure } from './world.ts';

const MIB = 1 << 20;
const UPDATE_TASK = '/containerd.services.tasks.v1.Tasks/Update';

/** The same in all three places. */
const all = (mib: number): object => ({ told: mib, kernel: mib, spec: mib });

describe.each(containerdVersions)('limits set at run time over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('and kept', () => {
    let world: FaultWorld;
    let clean: Snapshot;
    let count = 0;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
    });

    async function limited(): Promise<Started> {
      count += 1;
      const linux = { resources: { memoryLimitInBytes: 64 * MIB, cpuShares: 512 } };
      const container = world.container('limited', undefined, { linux });
      return await world.runContainer(world.pod(`limits-${count}`), container);
    }

    async function setMemory(containerId: string, mib: number): Promise<void> {
      await world.cri.runtime.updateContainerResources({
        containerId,
        linux: { memoryLimitInBytes: mib * MIB },
      });
    }

    /** What ContainerStatus says, what the kernel does, and what a start of the container would be given. */
    async function memoryOf(containerId: string): Promise<object> {
      const { status, info } = await world.cri.runtime.containerStatus({ containerId, verbose: true });
      const { runtimeSpec } = JSON.parse(info['info'] ?? '{}') as {
        runtimeSpec: { linux: { cgroupsPath: string; resources: { memory: { limit: number } } } };
      };
      const { cgroupsPath, resources } = runtimeSpec.linux;
      const file = `/sys/fs/cgroup/memory${cgroupsPath}/memory.limit_in_bytes`;
      return {
        told: Number(status?.resources?.linux?.memoryLimitInBytes) / MIB,
        kernel: Number(readFileSync(file, 'utf8')) / MIB,
        spec: resources.memory.limit / MIB,
      };
    }

    async function removePod(podSandboxId: string): Promise<void> {
      await world.cri.runtime.removePodSandbox({ podSandboxId });
      expect(await world.left(clean)).toEqual([]);
    }

    test.each(['restart', 'kill9'] as const)(
      'new limits of a container outlive a %s of cristal',
      async (how) => {
        const { podId, id } = await limited();
        await setMemory(id, 128);
        if (how === 'restart') await world.cristal.restart();
        else await world.cristal.kill9().then(async () => await world.cristal.resume());
        expect(await memoryOf(id)).toEqual(all(128));
        await setMemory(id, 96);
        expect(await memoryOf(id)).toEqual(all(96));
        await removePod(podId);
      },
    );

    test.each(['before', 'after'] as const)(
      'a task that fails %s it took them has the old ones',
      async (when) => {
        const { podId, id } = await limited();
        world.proxy.rule({ method: UPDATE_TASK, when, action: 'fail', code: 'UNKNOWN', times: 1 });
        expect((await failure(setMemory(id, 128))).message).toContain('set the resources of container');
        expect(await memoryOf(id)).toEqual(all(64));
        await setMemory(id, 128);
        expect(await memoryOf(id)).toEqual(all(128));
        await removePod(podId);
      },
    );

    test('a status that cannot be written leaves the old ones in force', async () => {
      const { podId, id } = await limited();
      const dir = join(world.cristal.root, 'containers', id);
      const kept = readFileSync(join(dir, 'status.json'));
      // Root may write anywhere, so a file takes the directory's place.
      rmSync(dir, { recursive: true });
      writeFileSync(dir, '');
      await failure(setMemory(id, 128));
      expect(await memoryOf(id)).toEqual(all(64));
      rmSync(dir);
      mkdirSync(dir);
      writeFileSync(join(dir, 'status.json'), kept);
      await world.cristal.restart();
      expect(await memoryOf(id)).toEqual(all(64));
      await removePod(podId);
    });

    test('cristal killed between containerd and its own record shows the old ones, and takes the new ones again', async () => {
      const { podId, id } = await limited();
      const rule = world.proxy.rule({ method: UPDATE_TASK, when: 'after', action: 'hang', times: 1 });
      const broken = failure(setMemory(id, 128));
      await rule.hit;
      await world.cristal.kill9();
      await broken;
      rule.remove();
      await world.cristal.resume();
      expect(await memoryOf(id)).toEqual({ told: 64, kernel: 128, spec: 128 });
      await setMemory(id, 128);
      expect(await memoryOf(id)).toEqual(all(128));
      await removePod(podId);
    });

    test.each(['', 'paused'])('limits of a pod (handler "%s") are kept over a restart', async (handler) => {
      const podId = await world.runPod(world.pod(`pod-limits-${handler}`), handler);
      const resources = { cpuShares: 100, memoryLimitInBytes: 256 * MIB };
      await world.cri.runtime.updatePodSandboxResources({
        podSandboxId: podId,
        resources,
        overhead: { cpuShares: 7 },
      });
      await world.cristal.restart();
      const { info } = await world.cri.runtime.podSandboxStatus({ podSandboxId: podId, verbose: true });
      expect(JSON.parse(info['info'] ?? '{}')).toMatchObject({
        state: 'ready',
        updatedResources: {
          resources: { cpuShares: '100', memoryLimitInBytes: String(256 * MIB) },
          overhead: { cpuShares: '7' },
        },
      });
      const nothing = world.cri.runtime.updatePodSandboxResources({ podSandboxId: podId });
      expect((await failure(nothing)).code).toBe('INVALID_ARGUMENT');
      await world.cri.runtime.stopPodSandbox({ podSandboxId: podId });
      const stopped = world.cri.runtime.updatePodSandboxResources({ podSandboxId: podId, resources });
      expect((await failure(stopped)).code).toBe('FAILED_PRECONDITION');
      await removePod(podId);
      const gone = world.cri.runtime.updatePodSandboxResources({ podSandboxId: podId, resources });
      expect((await failure(gone)).code).toBe('NOT_FOUND');
    });
  });
});
