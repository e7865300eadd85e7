import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CrictlResult } from '../fixtures/crictl.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { leaksSince, snapshot } from '../fixtures/leaks.ts';
import { containerdVersions, whyNotCrictl } from '../fixtures/tools.ts';
import type { CrictlWorld } from './world.ts';
import { createWorld, sleeper, usesBuiltin } from './world.ts';

interface Listed {
  id: string;
  state: string;
  metadata: { name: string };
  podSandboxId?: string;
}
interface PodStatus {
  status: { id: string; state: string; network: { ip: string }; metadata: { name: string } };
}
interface ContainerStatus {
  status: {
    id: string;
    state: string;
    exitCode: number;
    reason: string;
    image: { image: string };
    resources?: { linux?: { memoryLimitInBytes: string } };
  };
}

// The tests of one version are the life of one pod, told in order: each needs what the one before it made.
describe.each(containerdVersions)('crictl against containerd %s', (version) => {
  describe.skipIf(whyNotCrictl(version) !== null)('one pod, from runp to rmp', () => {
    let world: CrictlWorld;
    let clean: Snapshot;
    let podFile = '';
    let pod = '';
    let container = '';

    beforeAll(async () => {
      world = await createWorld(version);
      await world.crictl.text('pull', world.image);
      clean = await snapshot(world);
      podFile = world.podFile({ name: 'life', labels: { app: 'life' } });
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    test('version', async () => {
      const text = await world.crictl.text('version');
      expect(text).toMatch(/RuntimeApiVersion:\s+v1/);
      expect(text).toMatch(usesBuiltin ? /RuntimeName:\s+containerd/ : /RuntimeName:\s+cristal/);
    });

    test('info says that runtime and network are ready', async () => {
      interface Info {
        status: { conditions: { type: string; status: boolean; message: string }[] };
      }
      const { status } = await world.crictl.json<Info>('info');
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'RuntimeReady', status: true }),
      );
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'NetworkReady', status: true }),
      );
    });

    test('runp', async () => {
      pod = await world.crictl.text('runp', podFile);
      expect(pod).toMatch(/^[0-9a-f]{64}$/);
      expect(world.cni.leasedIps()).toHaveLength(1);
    });

    async function pods(...args: string[]): Promise<string[]> {
      const { items } = await world.crictl.json<{ items: Listed[] }>('pods', ...args);
      return items.map(({ id }) => id);
    }

    test('pods lists it, and filters by state, name and label', async () => {
      expect(await pods()).toEqual([pod]);
      expect(await pods('--state', 'ready')).toEqual([pod]);
      expect(await pods('--state', 'notready')).toEqual([]);
      expect(await pods('--name', 'life')).toEqual([pod]);
      expect(await pods('--label', 'app=life')).toEqual([pod]);
      expect(await pods('--label', 'app=other')).toEqual([]);
    });

    test('inspectp shows the state and the address', async () => {
      const { status } = await world.crictl.json<PodStatus>('inspectp', pod);
      expect(status).toMatchObject({ id: pod, state: 'SANDBOX_READY', metadata: { name: 'life' } });
      expect(world.cni.leasedIps()).toEqual([status.network.ip]);
    });

    test('create, and ps -a shows it as created', async () => {
      const script = 'echo to stdout; echo to stderr >&2; trap "exit 3" TERM; sleep 3600 & wait';
      const file = world.containerFile('main', ['sh', '-c', script]);
      container = await world.crictl.text('create', pod, file, podFile);
      expect(container).toMatch(/^[0-9a-f]{64}$/);
      expect(await listed('ps', '-a')).toEqual([
        expect.objectContaining({ id: container, state: 'CONTAINER_CREATED', podSandboxId: pod }),
      ]);
      expect(await listed('ps')).toEqual([]);
    });

    async function listed(...args: string[]): Promise<Listed[]> {
      return (await world.crictl.json<{ containers: Listed[] }>(...args)).containers;
    }
    async function inspect(): Promise<ContainerStatus['status']> {
      return (await world.crictl.json<ContainerStatus>('inspect', container)).status;
    }

    test('start, and ps shows it as running', async () => {
      expect(await world.crictl.text('start', container)).toBe(container);
      expect(await listed('ps')).toEqual([
        expect.objectContaining({
          id: container,
          state: 'CONTAINER_RUNNING',
          metadata: { name: 'main', attempt: 0 },
        }),
      ]);
      expect(await inspect()).toMatchObject({ state: 'CONTAINER_RUNNING', image: { image: world.image } });
    });

    test('a short prefix of an id will do', async () => {
      const { status } = await world.crictl.json<ContainerStatus>('inspect', container.slice(0, 8));
      expect(status.id).toBe(container);
      expect((await world.crictl.json<PodStatus>('inspectp', pod.slice(0, 8))).status.id).toBe(pod);
    });

    async function execSync(id: string, script: string): Promise<CrictlResult> {
      return await world.crictl.run('exec', '-s', id, 'sh', '-c', script);
    }

    test('exec -s shows both outputs, and tells of a failure', async () => {
      const { stdout, code } = await execSync(container, 'echo out; echo err >&2');
      // crictl prints both to its own stdout, one after the other with an empty line between.
      expect({ stdout, code }).toEqual({ stdout: 'out\n\nerr\n\n', code: 0 });
      const failed = await execSync(container, 'exit 7');
      expect(failed.code).not.toBe(0);
      expect(failed.stderr).toContain('7');
    });

    test('exec -s with a time-out ends the process and fails', async () => {
      const failed = await world.crictl.run('exec', '-s', '--timeout', '1', container, 'sleep', '1234');
      expect(failed.code).not.toBe(0);
      expect(failed.stderr).toMatch(/DeadlineExceeded/);
      expect(await world.crictl.text('exec', '-s', container, 'ps')).not.toContain('1234');
    });

    test('logs', async () => {
      const { stdout, stderr } = await world.crictl.run('logs', container);
      expect({ stdout, stderr }).toEqual({ stdout: 'to stdout\n', stderr: 'to stderr\n' });
    });

    test('update changes the memory limit that the container sees', async () => {
      const limit = 96 << 20;
      await world.crictl.text('update', '--memory', String(limit), container);
      expect((await inspect()).resources?.linux?.memoryLimitInBytes).toBe(String(limit));
    });

    test('stop sends the stop signal, and the exit code is kept', async () => {
      await world.crictl.text('stop', '--timeout', '10', container);
      expect(await inspect()).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 3, reason: 'Error' });
    });

    test('stop kills a container that ignores the signal', async () => {
      const file = world.containerFile('deaf', ['sh', '-c', 'trap "" TERM; while true; do sleep 1; done']);
      const deaf = await world.crictl.text('create', pod, file, podFile);
      await world.crictl.text('start', deaf);
      await world.crictl.text('stop', '--timeout', '1', deaf);
      const { status } = await world.crictl.json<ContainerStatus>('inspect', deaf);
      expect(status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 137 });
      await world.crictl.text('rm', deaf);
    });

    test('rm, and ps -a is empty', async () => {
      await world.crictl.text('rm', container);
      expect(await listed('ps', '-a')).toEqual([]);
      expect((await world.crictl.run('inspect', container)).stderr).toContain('NotFound');
    });

    test('stopp ends what still runs and gives the address back', async () => {
      const file = world.containerFile('left', sleeper);
      container = await world.crictl.text('create', pod, file, podFile);
      await world.crictl.text('start', container);
      await world.crictl.text('stopp', pod);
      expect(await inspect()).toMatchObject({ state: 'CONTAINER_EXITED' });
      expect((await world.crictl.json<PodStatus>('inspectp', pod)).status.state).toBe('SANDBOX_NOTREADY');
      expect(world.cni.leasedIps()).toEqual([]);
      await world.crictl.text('stopp', pod);
    });

    test('rmp takes its containers along, and nothing is left', async () => {
      await world.crictl.text('rmp', pod);
      expect((await world.crictl.json<{ items: Listed[] }>('pods')).items).toEqual([]);
      expect(await listed('ps', '-a')).toEqual([]);
      expect(await leaksSince(clean, world)).toEqual([]);
    });
  });
});
