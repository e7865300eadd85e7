import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CriCallOptions, CriError } from '../fixtures/cri-client.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import type { ActiveRule } from '../fixtures/proxy.ts';
import { whyNot } from '../fixtures/tools.ts';
import type { FaultWorld, PodConfig } from './world.ts';
import { createFaultWorld, failure } from './world.ts';

const CREATE_CONTAINER = '/containerd.services.containers.v1.Containers/Create';
const PREPARE = '/containerd.services.snapshots.v1.Snapshots/Prepare';
const START_TASK = '/containerd.services.tasks.v1.Tasks/Start';

describe.skipIf(whyNot('2.3') !== null)('a client that goes away and calls again', () => {
  let world: FaultWorld;
  let clean: Snapshot;
  let count = 0;

  beforeAll(async () => {
    world = await createFaultWorld('2.3');
  });
  beforeEach(async () => {
    clean = await world.state();
  });
  afterEach(async () => await world.heal());
  afterAll(async () => await world?.[Symbol.asyncDispose]());

  function newPod(): PodConfig {
    count += 1;
    return world.pod(`retry-${count}`);
  }

  function hold(method: string): ActiveRule {
    return world.proxy.rule({ method, when: 'before', action: 'hang', times: 1 });
  }

  /** Two ways to go away, with what the answer to nobody says. */
  const ways = ['deadline', 'cancel'] as const;

  /** Makes a call with a client that leaves once the call is held, and tells how it ended for the client. */
  async function leave(
    way: (typeof ways)[number],
    held: Promise<unknown>,
    call: (options: CriCallOptions) => Promise<unknown>,
  ): Promise<CriError> {
    const stop = new AbortController();
    const failed = failure(call(way === 'deadline' ? { timeoutMs: 400 } : { signal: stop.signal }));
    await held;
    if (way === 'cancel') stop.abort();
    const error = await failed;
    expect(error.code).toBe(way === 'deadline' ? 'DEADLINE_EXCEEDED' : 'CANCELLED');
    return error;
  }

  /** What the daemon said of a call that its client gave up: the client itself has hung up by then. */
  async function loggedStage(rpc: string, stage: string): Promise<void> {
    const pattern = new RegExp(`"rpc":"${rpc}".*still at stage \\\\"${stage}\\\\" for \\d+\\.\\d s`);
    const find = (): boolean => world.cristal.log().some((line) => pattern.test(line));
    expect(await eventually(find, 2_000), `the log has no line about stage ${stage}`).toBe(true);
  }

  async function removePod(podSandboxId: string): Promise<void> {
    await world.cri.runtime.removePodSandbox({ podSandboxId });
    expect(await world.left(clean)).toEqual([]);
  }

  function runWith(pod: PodConfig, options: CriCallOptions = {}) {
    return world.cri.runtime.runPodSandbox({ config: pod }, options);
  }

  /** Resolves when the plugin is called the next time. */
  function pluginCalled(): Promise<unknown> {
    const before = world.fake.calls().length;
    return eventually(() => world.fake.calls().length > before);
  }

  test.each(ways)('RunPodSandbox after a %s: the call again joins and gets the one sandbox', async (way) => {
    const pod = newPod();
    world.fake.fault('ADD', 700);
    await leave(way, pluginCalled(), async (options) => await runWith(pod, options));
    await loggedStage('RunPodSandbox', 'CNI ADD');
    const { podSandboxId } = await runWith(pod);
    expect(await world.podIds()).toEqual([podSandboxId]);
    expect(world.fake.calls().filter((call) => call === `ADD ${podSandboxId}`)).toHaveLength(1);
    expect((await runWith(pod)).podSandboxId).toBe(podSandboxId);
    await removePod(podSandboxId);
  });

  test('RunPodSandbox whose client never calls again is finished, listed, and can be removed', async () => {
    const pod = newPod();
    world.fake.fault('ADD', 700);
    await leave('cancel', pluginCalled(), async (options) => await runWith(pod, options));
    expect(await eventually(async () => (await world.podIds()).length === 1)).toBe(true);
    const [podSandboxId = ''] = await world.podIds();
    const { status } = await world.cri.runtime.podSandboxStatus({ podSandboxId });
    expect(status).toMatchObject({ state: 'SANDBOX_READY', metadata: { name: pod.metadata.name } });
    await removePod(podSandboxId);
  });

  test('RunPodSandbox that fails after its client went away leaves nothing', async () => {
    const pod = newPod();
    const rule = world.proxy.rule({ method: CREATE_CONTAINER, when: 'after', action: 'delay', ms: 300 });
    world.fake.fault('ADD', 'fail-after');
    await leave('cancel', rule.hit, async (options) => await runWith(pod, options));
    rule.remove();
    await sleep(600);
    expect(await world.left(clean)).toEqual([]);
    expect(await world.podIds()).toEqual([]);
    world.fake.fault('ADD', null);
    await removePod((await runWith(pod)).podSandboxId);
  });

  test.each(ways)('CreateContainer after a %s: the call again gets the one container', async (way) => {
    const pod = newPod();
    const podId = await world.runPod(pod);
    const config = world.container('main');
    const rule = hold(PREPARE);
    const create = async (options: CriCallOptions = {}) =>
      await world.cri.runtime.createContainer({ podSandboxId: podId, config, sandboxConfig: pod }, options);
    await leave(way, rule.hit, create);
    await loggedStage('CreateContainer', 'snapshot and record');
    const again = create();
    await sleep(100);
    rule.remove();
    const { containerId } = await again;
    const { containers } = await world.cri.runtime.listContainers({});
    expect(containers.map(({ id }) => id)).toEqual([containerId]);
    expect((await create()).containerId).toBe(containerId);
    await removePod(podId);
  });

  test('StartContainer after a deadline: the call again finds it started, once', async () => {
    const pod = newPod();
    const podId = await world.runPod(pod);
    const containerId = await world.createContainer(podId, pod, world.container('main'));
    const rule = hold(START_TASK);
    const start = async (options: CriCallOptions = {}) =>
      await world.cri.runtime.startContainer({ containerId }, options);
    await leave('deadline', rule.hit, start);
    await loggedStage('StartContainer', 'start task');
    world.proxy.forget();
    rule.remove();
    await start();
    expect(await world.containerState(containerId)).toBe('CONTAINER_RUNNING');
    expect(world.proxy.calls()).not.toContain(START_TASK);
    await removePod(podId);
  });

  test('identical calls at the same time give one id', async () => {
    const pod = newPod();
    world.fake.fault('ADD', 200);
    const pods = await Promise.all([1, 2, 3, 4].map(async () => await world.runPod(pod)));
    expect(new Set(pods).size).toBe(1);
    const [podId = ''] = pods;
    const config = world.container('main');
    const ids = await Promise.all(
      [1, 2, 3, 4].map(async () => await world.createContainer(podId, pod, config)),
    );
    expect(new Set(ids).size).toBe(1);
    const [containerId = ''] = ids;
    await Promise.all([1, 2].map(async () => await world.cri.runtime.startContainer({ containerId })));
    expect(await world.podIds()).toEqual([podId]);
    expect((await world.cri.runtime.listContainers({})).containers).toHaveLength(1);
    await removePod(podId);
  });

  test('another config under a name that is taken is refused, also while the first is being made', async () => {
    const pod = newPod();
    const other = { ...pod, hostname: 'another' };
    world.fake.fault('ADD', 300);
    const making = world.runPod(pod);
    const early = await failure(world.runPod(other));
    expect(early.code).toBe('ALREADY_EXISTS');
    expect(early.message).toContain(pod.metadata.name);
    const podId = await making;
    const late = await failure(world.runPod(other));
    expect(late.code).toBe('ALREADY_EXISTS');
    expect(late.message).toContain(podId);

    const id = await world.createContainer(podId, pod, world.container('main'));
    const error = await failure(world.createContainer(podId, pod, world.container('main', ['true'])));
    expect(error.code).toBe('ALREADY_EXISTS');
    expect(error.message).toContain(id);
    await removePod(podId);
  });

  test('a pod that is removed while a client still waits for it is gone afterwards', async () => {
    const pod = newPod();
    world.fake.fault('ADD', 500);
    const making = world.runPod(pod);
    await sleep(150);
    expect(await world.podIds()).toEqual([]); // half-made ones are not shown
    await removePod(await making);
  });

  test('a container whose rollback got stuck is listed, and the same call again makes it', async () => {
    const pod = newPod();
    const podId = await world.runPod(pod);
    const fail = { when: 'before', action: 'fail', code: 'INTERNAL' } as const;
    world.proxy.rule({ ...fail, method: CREATE_CONTAINER, when: 'after', times: 1 });
    const stuck = world.proxy.rule({ ...fail, method: CREATE_CONTAINER.replace('Create', 'Delete') });
    await failure(world.createContainer(podId, pod, world.container('main')));
    const listed = (await world.cri.runtime.listContainers({})).containers;
    expect(listed).toMatchObject([{ state: 'CONTAINER_UNKNOWN', metadata: { name: 'main' } }]);
    stuck.remove();
    const id = await world.createContainer(podId, pod, world.container('main'));
    const now = (await world.cri.runtime.listContainers({})).containers;
    expect(now).toMatchObject([{ id, state: 'CONTAINER_CREATED' }]);
    await removePod(podId);
  });
});
