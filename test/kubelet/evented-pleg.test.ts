import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/processes.ts';
import { whyNotKubelet } from '../fixtures/tools.ts';
import type { KubeletWorld } from './world.ts';
import { createKubeletWorld } from './world.ts';

// With this gate the kubelet looks at a pod as soon as an event says that a container of it ended.
describe.skipIf(whyNotKubelet('2.3'))('a kubelet with EventedPLEG', () => {
  let world: KubeletWorld;

  beforeAll(async () => {
    // At 4 it logs what an event made it do.
    world = await createKubeletWorld('2.3', { featureGates: { EventedPLEG: true }, verbosity: 4 });
    world.kubelet.putPod('first', manifest('first', world.image));
  });
  afterAll(async () => {
    await world?.endPod('second');
    await world?.[Symbol.asyncDispose]();
  });

  const container = async (name: string) => (await world.podNamed(name))?.status.containerStatuses?.[0];
  const runsWith = async (name: string, restarts: number): Promise<boolean> => {
    const status = await container(name);
    return status?.ready === true && status.restartCount === restarts;
  };
  const lastLog = (): string => world.kubelet.log().slice(-4_000);

  async function metric(name: string): Promise<number> {
    const line = (await world.kubelet.get('/metrics'))
      .split('\n')
      .find((text) => text.startsWith(`${name} `));
    return Number(line?.split(' ')[1]);
  }

  /** It tries five times and no more. */
  const gaveUp = async (): Promise<boolean> =>
    (await metric('kubelet_evented_pleg_connection_error_count')) === 5;

  /** Lets the process of a pod's container end with code 3. Answers the id of the container. */
  async function end(name: string): Promise<string> {
    const id = (await container(name))?.containerID?.replace(/^.*:\/\//, '') ?? '';
    await world.cristal.cri.runtime.execSync({ containerId: id, cmd: ['touch', '/end'] });
    return id;
  }

  test('runs a static pod and subscribes to events, once and without an error', async () => {
    expect(await eventually(async () => await runsWith('first', 0), 40_000), lastLog()).toBe(true);
    expect(await metric('kubelet_evented_pleg_connection_success_count')).toBe(1);
    expect(await metric('kubelet_evented_pleg_connection_error_count')).toBe(0);
    // That the pod, its sandbox's container and the container were made and started.
    expect(await metric('kubelet_evented_pleg_connection_latency_seconds_count')).toBeGreaterThanOrEqual(2);
  });

  test('starts a container again that ended, looking because an event said so', async () => {
    const before = await metric('kubelet_evented_pleg_connection_latency_seconds_count');
    const id = await end('first');

    expect(await eventually(async () => await runsWith('first', 1), 40_000), lastLog()).toBe(true);

    const asked = world.kubelet
      .log()
      .split('\n')
      .filter((line) => line.includes('requested pod relist after container termination'));
    expect(asked.filter((line) => line.includes(id))).toHaveLength(1);
    // It stopped, and the next one was created and started.
    expect(
      (await metric('kubelet_evented_pleg_connection_latency_seconds_count')) - before,
    ).toBeGreaterThanOrEqual(3);
    // An event is with the kubelet well before the second is over that it waits between two lists.
    const seconds = await metric('kubelet_evented_pleg_connection_latency_seconds_sum');
    const count = await metric('kubelet_evented_pleg_connection_latency_seconds_count');
    expect(seconds / count).toBeLessThan(0.5);
  });

  test('hears of the end of a pod', async () => {
    const before = await metric('kubelet_evented_pleg_connection_latency_seconds_count');
    expect(await world.endPod('first'), lastLog()).toBe(true);
    expect(
      await eventually(async () => (await world.podNamed('first')) === undefined, 40_000),
      lastLog(),
    ).toBe(true);
    // The container stopped, and so did the sandbox.
    expect(
      (await metric('kubelet_evented_pleg_connection_latency_seconds_count')) - before,
    ).toBeGreaterThanOrEqual(2);
    expect(await metric('kubelet_evented_pleg_connection_error_count')).toBe(0);
  });

  test('goes on without events when cristal was away', async () => {
    await world.cristal.restart();
    expect(await eventually(gaveUp, 20_000)).toBe(true);

    world.kubelet.putPod('second', manifest('second', world.image));
    expect(await eventually(async () => await runsWith('second', 0), 40_000), lastLog()).toBe(true);
    await end('second');
    expect(await eventually(async () => await runsWith('second', 1), 60_000), lastLog()).toBe(true);
  });
});

function manifest(name: string, image: string): object {
  const command = ['sh', '-c', 'until [ -e /end ]; do usleep 20000; done; exit 3'];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image, command, resources: { limits: { memory: '64Mi' } } }],
    },
  };
}
