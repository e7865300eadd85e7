import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import type { FaultWorld, PodConfig } from './world.ts';
import { createFaultWorld } from './world.ts';

/** Where a call is held when cristal is killed: a call to containerd, or a command of the CNI plugin. */
type Place = readonly [of: string, when: 'before' | 'after'];

const CONTAINERS = '/containerd.services.containers.v1.Containers';
const SNAPSHOTS = '/containerd.services.snapshots.v1.Snapshots';
const TASKS = '/containerd.services.tasks.v1.Tasks';

const inRunPodSandbox: Place[] = [
  [`${CONTAINERS}/Create`, 'before'],
  [`${CONTAINERS}/Create`, 'after'],
  ['CNI ADD', 'before'],
  ['CNI ADD', 'after'],
];
const inRunPausedSandbox: Place[] = [
  [`${TASKS}/Create`, 'before'],
  [`${TASKS}/Create`, 'after'],
  [`${TASKS}/Start`, 'before'],
  [`${TASKS}/Start`, 'after'],
];
const inCreateContainer: Place[] = [
  [`${SNAPSHOTS}/Prepare`, 'before'],
  [`${SNAPSHOTS}/Prepare`, 'after'],
  [`${CONTAINERS}/Create`, 'before'],
  [`${CONTAINERS}/Create`, 'after'],
];
const inStartContainer: Place[] = [
  [`${SNAPSHOTS}/Mounts`, 'before'],
  [`${TASKS}/Create`, 'before'],
  [`${TASKS}/Create`, 'after'],
  [`${TASKS}/Start`, 'before'],
  [`${TASKS}/Start`, 'after'],
];
// The processes of a pod without a pause container are killed without containerd.
const inRemovePodSandbox: Place[] = [
  [`${TASKS}/Delete`, 'before'],
  [`${TASKS}/Delete`, 'after'],
  ['CNI DEL', 'before'],
  ['CNI DEL', 'after'],
  [`${SNAPSHOTS}/Remove`, 'before'],
  [`${SNAPSHOTS}/Remove`, 'after'],
  [`${CONTAINERS}/Delete`, 'before'],
  [`${CONTAINERS}/Delete`, 'after'],
];

const inRemovePausedSandbox: Place[] = [
  [`${TASKS}/Kill`, 'before'],
  [`${TASKS}/Kill`, 'after'],
  [`${TASKS}/Delete`, 'before'],
  [`${TASKS}/Delete`, 'after'],
];

// All of it against the new containerd; against the old one what its tasks and snapshots could do otherwise.
describe.each(containerdVersions)('cristal killed with -9 over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('in the middle of', () => {
    const all = version === '2.3';
    let world: FaultWorld;
    let clean: Snapshot;
    let count = 0;

    beforeAll(async () => {
      world = await createFaultWorld(version);
    });
    beforeEach(async () => {
      clean = await world.state();
    });
    afterEach(async () => {
      world.fake.endHanging();
      await world.heal();
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    function newPod(): PodConfig {
      count += 1;
      return world.pod(`kill-${count}`);
    }

    /** Makes a call, kills cristal when the call is held at the place, and starts cristal again. */
    async function killAt([of, when]: Place, call: () => Promise<unknown>): Promise<void> {
      const held = hold(of, when);
      const outcome = call().then(
        () => 'answered',
        () => 'broken',
      );
      const first = await Promise.race([held.then(() => 'held'), outcome]);
      expect(first, `the call never came to ${of}`).toBe('held');
      await world.cristal.kill9();
      expect(await outcome).toBe('broken');
      world.fake.fault('ADD', null);
      world.fake.fault('DEL', null);
      // Only then may the held call go on: by now the proxy knows that its caller is gone.
      await world.cristal.resume();
      world.proxy.clearRules();
    }

    async function hold(of: string, when: Place[1]): Promise<void> {
      if (!of.startsWith('CNI '))
        return await world.proxy.rule({ method: of, when, action: 'hang', times: 1 }).hit;
      world.fake.fault(of.slice(4) as 'ADD' | 'DEL', when === 'before' ? 'hang' : 'hang-after');
      await eventually(() => world.fake.hanging().length > 0, 10_000);
    }

    /** Makes the pod with a running container, removes it, and expects nothing to be left. */
    async function worksNow(pod: PodConfig, handler = ''): Promise<void> {
      const { podId, id } = await world.runContainer(pod, world.container('main'), handler);
      expect(await world.containerState(id)).toBe('CONTAINER_RUNNING');
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    }

    test.each(all ? inRunPodSandbox : [])('RunPodSandbox, %s %s', async (...place) => {
      const pod = newPod();
      await killAt(place, async () => await world.runPod(pod));
      expect(await world.left(clean)).toEqual([]);
      expect(await world.podIds()).toEqual([]);
      await worksNow(pod);
    });

    test.each(inRunPausedSandbox)('RunPodSandbox with a pause container, %s %s', async (...place) => {
      const pod = newPod();
      await killAt(place, async () => await world.runPod(pod, 'paused'));
      expect(await world.left(clean)).toEqual([]);
      expect(await world.podIds()).toEqual([]);
      await worksNow(pod, 'paused');
    });

    test.each(inCreateContainer)('CreateContainer, %s %s', async (...place) => {
      const pod = newPod();
      const podId = await world.runPod(pod);
      const before = await world.state();
      const config = world.container('main');
      await killAt(place, async () => await world.createContainer(podId, pod, config));
      expect(await world.left(before)).toEqual([]);
      expect((await world.cri.runtime.listContainers({})).containers).toEqual([]);
      expect(await world.runPod(pod)).toBe(podId);
      await worksNow(pod);
    });

    // The snapshot and the record of a container are made beside each other, once its image is known.
    test.each([
      ['a record and no snapshot', `${SNAPSHOTS}/Prepare`, ['containers', 'ls', '-q']],
      ['a snapshot and no record', `${CONTAINERS}/Create`, ['snapshots', 'ls']],
    ])('CreateContainer, when there is %s', async (_, method, list) => {
      const pod = newPod();
      const podId = await world.runPod(pod);
      await world.createContainer(podId, pod, world.container('first'));
      const before = await world.state();
      const listed = async () => (await world.containerd.ctr(...list)).split('\n').length;
      const listedBefore = await listed();
      const rule = world.proxy.rule({ method, when: 'before', action: 'hang', times: 1 });
      const outcome = world.createContainer(podId, pod, world.container('main')).then(
        () => 'answered',
        () => 'broken',
      );
      await rule.hit;
      expect(await eventually(async () => (await listed()) > listedBefore)).toBe(true);
      await world.cristal.kill9();
      expect(await outcome).toBe('broken');
      await world.cristal.resume();
      world.proxy.clearRules();
      expect(await world.left(before)).toEqual([]);
      expect((await world.cri.runtime.listContainers({})).containers).toHaveLength(1);
      await world.createContainer(podId, pod, world.container('main'));
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });

    test.each(inStartContainer)('StartContainer, %s %s', async (...place) => {
      const pod = newPod();
      const podId = await world.runPod(pod);
      const config = world.container('main');
      const id = await world.createContainer(podId, pod, config);
      const before = await world.state();
      await killAt(place, async () => await world.cri.runtime.startContainer({ containerId: id }));
      const tookEffect = place[0] === `${TASKS}/Start` && place[1] === 'after';
      expect(await world.containerState(id)).toBe(tookEffect ? 'CONTAINER_RUNNING' : 'CONTAINER_CREATED');
      if (!tookEffect) expect(await world.left(before)).toEqual([]);
      await world.cri.runtime.startContainer({ containerId: id });
      expect(await world.containerState(id)).toBe('CONTAINER_RUNNING');
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });

    async function killInRemoval(place: Place, handler: string): Promise<void> {
      const pod = newPod();
      const { podId } = await world.runContainer(pod, world.container('main'), handler);
      await killAt(place, async () => await world.cri.runtime.removePodSandbox({ podSandboxId: podId }));
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.podIds()).toEqual([]);
      expect((await world.cri.runtime.listContainers({})).containers).toEqual([]);
      expect(await world.left(clean)).toEqual([]);
      await worksNow(pod, handler);
    }

    test.each(all ? inRemovePodSandbox : [])('RemovePodSandbox, %s %s', async (...place) => {
      await killInRemoval(place, '');
    });

    test.each(all ? inRemovePausedSandbox : [])(
      'RemovePodSandbox with a pause container, %s %s',
      async (...place) => {
        await killInRemoval(place, 'paused');
      },
    );

    // The places above are where cristal waits for others; these moments fall between them.
    test.each(all ? [4, 12, 20, 30, 45, 70, 120, 180] : [25])('a pod, after %i ms', async (ms) => {
      const pod = newPod();
      const outcome = world
        .runContainer(pod, world.container('main'))
        .then(async ({ podId }) => await world.cri.runtime.removePodSandbox({ podSandboxId: podId }))
        .catch(() => {});
      await sleep(ms);
      await world.cristal.kill9();
      await outcome;
      await world.cristal.resume();
      for (const podSandboxId of await world.podIds()) {
        await world.cri.runtime.removePodSandbox({ podSandboxId });
      }
      expect(await world.left(clean)).toEqual([]);
      await worksNow(pod);
    });
  });
});
