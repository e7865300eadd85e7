import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CriError } from '../fixtures/cri-client.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { whyNot } from '../fixtures/tools.ts';
import type { FaultWorld, PodConfig } from './world.ts';
import { createFaultWorld } from './world.ts';

type When = 'before' | 'after';

/** What a pod with one container asks of containerd, with the handler that says how its sandbox is held. */
const handlers = ['', 'paused'] as const;
const RPCS = ['RunPodSandbox', 'CreateContainer', 'StartContainer'] as const;

describe.skipIf(whyNot('2.3') !== null)('every call to containerd fails once', () => {
  let world: FaultWorld;
  let clean: Snapshot;
  let count = 0;
  const rehearsed = new Map<string, string[]>();

  beforeAll(async () => {
    world = await createFaultWorld('2.3');
    clean = await world.state();
    for (const handler of handlers) rehearsed.set(handler, await rehearse(handler));
  });
  beforeEach(async () => {
    clean = await world.state();
  });
  afterEach(async () => await world.heal());
  afterAll(async () => await world?.[Symbol.asyncDispose]());

  /** The three RPCs one after the other. `at` is told before each, and after the last. */
  async function walk(
    pod: PodConfig,
    handler: string,
    at: (rpc: (typeof RPCS)[number]) => void = () => {},
  ): Promise<void> {
    at('RunPodSandbox');
    const podId = await world.runPod(pod, handler);
    at('CreateContainer');
    const containerId = await world.createContainer(podId, pod, world.container('main'));
    at('StartContainer');
    await world.cri.runtime.startContainer({ containerId });
  }

  async function removeAll(): Promise<void> {
    for (const podSandboxId of await world.podIds())
      await world.cri.runtime.removePodSandbox({ podSandboxId });
    expect(await world.left(clean)).toEqual([]);
  }

  function newPod(): PodConfig {
    count += 1;
    return world.pod(`walk-${count}`);
  }

  /** Calls in order, without what goes on beside every call. */
  async function rehearse(handler: string): Promise<string[]> {
    world.proxy.forget();
    await walk(newPod(), handler);
    const calls = world.proxy.calls().filter((path) => !path.includes('.events.'));
    await removeAll();
    return calls;
  }

  test.each(handlers)('the rehearsal tells all calls (handler "%s")', (handler) => {
    const calls = rehearsed.get(handler) ?? [];
    const names = calls.map((path) => path.slice(path.lastIndexOf('.') + 1));
    const ofSandbox =
      handler === 'paused' ? ['Containers/Create', 'Tasks/Create', 'Tasks/Start'] : ['Containers/Create'];
    expect(names).toEqual([
      ...ofSandbox,
      'Snapshots/Prepare',
      'Containers/Create',
      'Snapshots/Mounts',
      'Tasks/Create',
      'Tasks/Start',
    ]);
  });

  // The number of cases is known before the rehearsal only this way; it is checked against it above.
  const cases = handlers.flatMap((handler) =>
    (handler === 'paused' ? [1, 2] : [0, 1, 2, 3, 4, 5]).flatMap((index) =>
      (['before', 'after'] as When[]).map((when) => ({ handler, index, when })),
    ),
  );
  test.each(cases)('call $index of handler "$handler" fails $when it took effect', async (fault) => {
    const { handler, index, when } = fault;
    const calls = rehearsed.get(handler) ?? [];
    const method = calls[index] ?? '';
    const skip = calls.slice(0, index).filter((path) => path === method).length;
    const code = when === 'before' ? 'RESOURCE_EXHAUSTED' : 'UNKNOWN';

    const pod = newPod();
    let reached: (typeof RPCS)[number] = 'RunPodSandbox';
    const rule = world.proxy.rule({ method, when, action: 'fail', code, skip, times: 1 });
    const error = await walk(pod, handler, (rpc) => (reached = rpc)).then(
      () => null,
      (failed: unknown) => failed as CriError,
    );
    rule.remove();
    const after = await world.state();

    expect(error, `${method} failed and nobody noticed`).not.toBeNull();
    expect(error?.message).toContain(`/runtime.v1.RuntimeService/${reached}`);
    expect(error?.message).toContain(`the test's proxy failed ${method}`);
    expect(['RESOURCE_EXHAUSTED', 'UNKNOWN', 'INTERNAL']).toContain(error?.code);

    if (reached === 'RunPodSandbox') {
      expect(await world.podIds()).toEqual([]);
      expect(await world.left(clean)).toEqual([]);
    } else {
      // Of the container nothing is left but, after a failed start, its record, which tells why.
      const { containers } = await world.cri.runtime.listContainers({});
      expect(containers.map(({ state }) => state)).toEqual(
        reached === 'StartContainer' ? ['CONTAINER_EXITED'] : [],
      );
      expect(after.filter((line) => /^(process|shim|task|FIFO) /.test(line))).toEqual([]);
      if (reached === 'StartContainer') await expectStartError(containers[0]?.id ?? '', method);
    }

    await retry(pod, handler, reached);
    await removeAll();
  });

  async function expectStartError(containerId: string, method: string): Promise<void> {
    const { status } = await world.cri.runtime.containerStatus({ containerId });
    expect(status).toMatchObject({ reason: 'StartError', exitCode: 128 });
    expect(status?.message).toContain(method);
  }

  /** The same requests again; only a container whose start failed is made anew, as the kubelet does. */
  async function retry(pod: PodConfig, handler: string, reached: (typeof RPCS)[number]): Promise<void> {
    const podId = await world.runPod(pod, handler);
    const attempt = reached === 'StartContainer' ? 1 : 0;
    const config = world.container('main', undefined, { metadata: { name: 'main', attempt } });
    const containerId = await world.createContainer(podId, pod, config);
    await world.cri.runtime.startContainer({ containerId });
    expect(await world.containerState(containerId)).toBe('CONTAINER_RUNNING');
  }
});
