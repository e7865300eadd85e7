import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCni } from '../fixtures/cni.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import { busyboxImage, pushImage } from '../fixtures/images.ts';
import type { KubeletPod, PrivateKubelet } from '../fixtures/kubelet.ts';
import { startKubelet } from '../fixtures/kubelet.ts';
import { eventually } from '../fixtures/processes.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { whyNotKubelet } from '../fixtures/tools.ts';

/** Far below the 300 seconds after which this kubelet lists all pods by itself. */
const NOTICED_MS = 40_000;

// With this gate the kubelet learns from GetContainerEvents what happened to its pods.
describe.skipIf(whyNotKubelet('2.3'))('a kubelet with EventedPLEG', () => {
  const stack = new AsyncDisposableStack();
  let cristal: PrivateCristal;
  let kubelet: PrivateKubelet;

  beforeAll(async () => {
    const registry = stack.use(await startRegistry());
    const cni = stack.use(createCni());
    await pushImage(registry.url, 'busybox', '1', await busyboxImage({ config: { Env: ['PATH=/bin'] } }));
    const containerd = stack.use(await startContainerd({ version: '2.3' }));
    cristal = stack.use(await startCristal({ containerd, cni, certsDir: registry.certsDir }));
    kubelet = stack.use(await startKubelet({ cri: cristal.address, featureGates: { EventedPLEG: true } }));
    kubelet.putPod('sleeper', sleeperManifest(`${registry.host}/busybox:1`));
  });
  afterAll(async () => {
    for (const { id } of (await cristal?.cri.runtime.listPodSandbox({}))?.items ?? []) {
      await cristal.cri.runtime.removePodSandbox({ podSandboxId: id });
    }
    await stack.disposeAsync();
  });

  const sleeper = async (): Promise<KubeletPod['status'] | undefined> =>
    (await kubelet.pods()).find(({ metadata }) => metadata.name.startsWith('sleeper'))?.status;
  const isUpAfter = async (restarts: number): Promise<boolean> => {
    const [container] = (await sleeper())?.containerStatuses ?? [];
    return container?.ready === true && container.restartCount === restarts;
  };
  /** One of the kubelet's own metrics; 0 while it has nothing to tell. */
  const metric = async (name: string): Promise<number> => {
    const found = new RegExp(`^kubelet_${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(
      await kubelet.get('/metrics'),
    );
    return Number(found?.[1] ?? 0);
  };
  const eventsTaken = () => metric('evented_pleg_connection_latency_seconds_count');

  test('subscribes, and takes the events of a pod that starts', async () => {
    expect(await eventually(() => isUpAfter(0), NOTICED_MS), kubelet.log().slice(-4_000)).toBe(true);
    expect(await metric('evented_pleg_connection_success_count')).toBe(1);
    expect(await metric('evented_pleg_connection_error_count')).toBe(0);
    // The sandbox is created and started, and so is the container.
    expect(await eventually(async () => (await eventsTaken()) >= 4, 5_000)).toBe(true);
  });

  test('starts a container again that died', async () => {
    const before = await eventsTaken();
    const [container] = (await cristal.cri.runtime.listContainers({})).containers;
    await cristal.cri.runtime.execSync({ containerId: container?.id ?? '', cmd: ['touch', '/end'] });
    expect(await eventually(() => isUpAfter(1), NOTICED_MS), kubelet.log().slice(-4_000)).toBe(true);
    // One died, another was created and started.
    expect(await eventually(async () => (await eventsTaken()) >= before + 3, 5_000)).toBe(true);
  });

  test('hears of the end of a pod', async () => {
    kubelet.removePod('sleeper');
    const over = await eventually(async () => {
      const { items } = await cristal.cri.runtime.listPodSandbox({});
      return items.every(({ state }) => state === 'SANDBOX_NOTREADY');
    }, NOTICED_MS);
    expect(over, kubelet.log().slice(-4_000)).toBe(true);
    expect(await eventually(async () => (await sleeper()) === undefined, NOTICED_MS)).toBe(true);
    expect(await metric('evented_pleg_connection_error_count')).toBe(0);
  });
});

function sleeperManifest(image: string): object {
  const command = ['sh', '-c', 'trap exit TERM; until [ -e /end ]; do sleep 0.2; done'];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'sleeper', namespace: 'default' },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image, command }] },
  };
}
