import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PrivateCni } from '../fixtures/cni.ts';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import { busyboxImage, pushImage } from '../fixtures/images.ts';
import type { KubeletPod, PrivateKubelet } from '../fixtures/kubelet.ts';
import { startKubelet } from '../fixtures/kubelet.ts';
import type { Snapshot, World } from '../fixtures/leaks.ts';
import { leaksSince, snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { containerdVersions, whyNotKubelet } from '../fixtures/tools.ts';

/** The kubelet names a static pod after its node too. */
const POD = 'web-cristal-test';

describe.each(containerdVersions)('a standalone kubelet on cristal, containerd %s', (version) => {
  describe.skipIf(whyNotKubelet(version))('', () => {
    const stack = new AsyncDisposableStack();
    let containerd: PrivateContainerd;
    let cni: PrivateCni;
    let cristal: PrivateCristal;
    let kubelet: PrivateKubelet;
    let image: string;
    let before: Snapshot;

    beforeAll(async () => {
      const registry = stack.use(await startRegistry());
      cni = stack.use(createCni());
      await pushImage(registry.url, 'busybox', '1', await busyboxImage({ config: { Env: ['PATH=/bin'] } }));
      image = `${registry.host}/busybox:1`;
      containerd = stack.use(await startContainerd({ version }));
      cristal = stack.use(await startCristal({ containerd, cni, certsDir: registry.certsDir }));
      kubelet = stack.use(await startKubelet({ cri: cristal.address }));
      before = await snapshot(world());
    });
    afterAll(async () => await stack.disposeAsync());

    const world = (): World => ({ containerd, cni, cristal, cgroup: kubelet.cgroup });
    const webPod = async (): Promise<KubeletPod | undefined> =>
      (await kubelet.pods()).find(({ metadata }) => metadata.name === POD);
    const isReady = async (): Promise<boolean> =>
      (await webPod())?.status.containerStatuses?.every(({ ready }) => ready) === true;

    test('runs a static pod until its exec and http probes are content', async () => {
      kubelet.putPod('web', webManifest(image));

      expect(await eventually(isReady, 40_000), kubelet.log().slice(-4_000)).toBe(true);

      const pod = await webPod();
      expect(pod?.status.phase).toBe('Running');
      expect(pod?.status.podIP).toMatch(new RegExp(`^${cni.prefix.replaceAll('.', '\\.')}`));
      expect(pod?.status.containerStatuses?.[0]).toMatchObject({ name: 'httpd', restartCount: 0 });
    });

    test('reads the logs that cristal writes', async () => {
      expect(await kubelet.get(`/containerLogs/default/${POD}/httpd`)).toBe('serving\n');
    });

    test('keeps the pod over a restart of cristal', async () => {
      const id = (await webPod())?.status.containerStatuses?.[0]?.containerID;

      await cristal.restart();

      expect(await eventually(isReady, 20_000)).toBe(true);
      expect((await webPod())?.status.containerStatuses?.[0]).toMatchObject({
        containerID: id,
        restartCount: 0,
      });
    });

    test('starts the container again when its liveness probe fails', async () => {
      const [container] = (await cristal.cri.runtime.listContainers({})).containers;
      await cristal.cri.runtime.execSync({
        containerId: container?.id ?? '',
        cmd: ['rm', '/www/index.html'],
      });

      const restarted = await eventually(
        async () => (await webPod())?.status.containerStatuses?.[0]?.restartCount === 1 && (await isReady()),
        40_000,
      );
      expect(restarted, kubelet.log().slice(-4_000)).toBe(true);
    });

    test('takes the pod down when its manifest goes, and nothing is left', async () => {
      kubelet.removePod('web');

      const { runtime } = cristal.cri;
      const isDown = async (): Promise<boolean> =>
        (await runtime.listPodSandbox({})).items.every(({ state }) => state === 'SANDBOX_NOTREADY');
      expect(await eventually(isDown, 30_000), kubelet.log().slice(-4_000)).toBe(true);
      // It would do so itself, a minute later.
      for (const { id } of (await runtime.listPodSandbox({})).items) {
        await runtime.removePodSandbox({ podSandboxId: id });
      }
      expect(await leaksSince(before, { containerd, cni, cristal, cgroup: kubelet.cgroup }, 20_000)).toEqual(
        [],
      );
    });
  });
});

function webManifest(image: string): object {
  const serve = 'mkdir -p /www; echo hello > /www/index.html; echo serving; exec httpd -f -p 80 -h /www';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: 'httpd',
          image,
          command: ['sh', '-c', serve],
          resources: { requests: { cpu: '50m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          readinessProbe: { httpGet: { path: '/index.html', port: 80 }, periodSeconds: 1 },
          livenessProbe: {
            exec: { command: ['cat', '/www/index.html'] },
            periodSeconds: 1,
            failureThreshold: 2,
          },
        },
      ],
    },
  };
}
