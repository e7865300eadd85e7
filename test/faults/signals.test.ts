import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../fixtures/leaks.ts';
import { eventually, processes } from '../fixtures/processes.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld, PodConfig } from './world.ts';

const KILL = '/containerd.services.tasks.v1.Tasks/Kill';

/** Two processes, of which the first is deaf to TERM. */
const DEAF = ['sh', '-c', 'trap "" TERM; sleep 3600 & while true; do sleep 1; done'];

const processesOf = (id: string) => processes().filter(({ cgroup }) => cgroup.includes(id));

describe.each(containerdVersions)('signals to containers of containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('by pidfd', () => {
    let world: FaultWorld;
    let clean: Snapshot;
    let count = 0;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
    });

    function newPod(): PodConfig {
      count += 1;
      return world.pod(`signals-${count}`);
    }

    /** The calls to containerd's tasks since the last `forget`, without what they are calls of. */
    function taskCalls(): string[] {
      return world.proxy
        .calls()
        .filter((path) => path.includes('.Tasks/'))
        .map((path) => path.slice(path.lastIndexOf('/') + 1));
    }

    const pidfds = () => {
      const dir = `/proc/${world.cristal.pid()}/fd`;
      return readdirSync(dir).filter((fd) => {
        try {
          return readlinkSync(`${dir}/${fd}`).includes('pidfd');
        } catch {
          return false; // closed since the list
        }
      }).length;
    };
    async function stop(containerId: string, timeout: string): Promise<number | undefined> {
      await world.cri.runtime.stopContainer({ containerId, timeout });
      return (await world.cri.runtime.containerStatus({ containerId })).status?.exitCode;
    }

    test.each(['as it started it', 'after a kill -9 of cristal'])(
      'a container is stopped, killed and removed without a call to its task, %s',
      async (how) => {
        const pod = newPod();
        const { podId, id } = await world.runContainer(pod, world.container('polite'));
        const deaf = await world.createContainer(podId, pod, world.container('deaf', DEAF));
        await world.cri.runtime.startContainer({ containerId: deaf });
        if (how !== 'as it started it') {
          await world.cristal.kill9();
          await world.cristal.resume();
        }
        await eventually(() => processesOf(deaf).length === 3);
        expect(pidfds()).toBe(2);
        world.proxy.forget();
        expect(await stop(id, '20')).toBe(0);
        expect(await stop(deaf, '1')).toBe(137);
        expect(processesOf(deaf)).toEqual([]);
        for (const containerId of [id, deaf]) await world.cri.runtime.removeContainer({ containerId });
        // Each is deleted once, when its exit is known.
        expect(taskCalls()).toEqual(['Delete', 'Delete']);
        expect(pidfds()).toBe(0);
        await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
        expect(await world.left(clean)).toEqual([]);
      },
    );

    test('a container that shares the pids of its pod is killed by containerd, with all its processes', async () => {
      const pod = newPod();
      const { podId, id } = await world.runContainer(pod, world.container('deaf', DEAF), 'paused');
      await eventually(() => processesOf(id).length === 3);
      world.proxy.forget();
      expect(await stop(id, '1')).toBe(137);
      expect(taskCalls().filter((call) => call === 'Kill')).toHaveLength(1);
      expect(processesOf(id)).toEqual([]);
      expect((await world.cri.runtime.podSandboxStatus({ podSandboxId: podId })).status?.state).toBe(
        'SANDBOX_READY',
      );
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });

    test('no descriptor stays of starts that failed, and of containers that ended by themselves', async () => {
      const pod = newPod();
      const podId = await world.runPod(pod);
      const rule = world.proxy.rule({
        method: '/containerd.services.tasks.v1.Tasks/Start',
        when: 'after',
        action: 'fail',
        code: 'INTERNAL',
        times: 1,
      });
      const failing = await world.createContainer(podId, pod, world.container('failing'));
      await expect(world.cri.runtime.startContainer({ containerId: failing })).rejects.toThrow();
      rule.remove();
      const ending = await world.createContainer(podId, pod, world.container('ending', ['true']));
      await world.cri.runtime.startContainer({ containerId: ending });
      await eventually(async () => (await world.containerState(ending)) === 'CONTAINER_EXITED');
      expect(pidfds()).toBe(0);
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });

    test('a task that containerd did not find when it exited is looked for again when it is removed', async () => {
      const pod = newPod();
      const { podId, id } = await world.runContainer(pod, world.container('polite'));
      const rule = world.proxy.rule({
        method: '/containerd.services.tasks.v1.Tasks/Delete',
        when: 'before',
        action: 'fail',
        code: 'NOT_FOUND',
        times: 1,
      });
      await stop(id, '20');
      await rule.hit;
      rule.remove();
      world.proxy.forget();
      await world.cri.runtime.removeContainer({ containerId: id });
      expect(world.proxy.calls()).toContain(KILL);
      expect(taskCalls()).toContain('Delete');
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });
  });
});
