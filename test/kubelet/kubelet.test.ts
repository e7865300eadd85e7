import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeletPod } from '../fixtures/kubelet.ts';
import type { Snapshot, World } from '../fixtures/leaks.ts';
import { leaksSince, snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import { containerdVersions, whyNotKubelet } from '../fixtures/tools.ts';
import type { KubeletWorld } from './world.ts';
import { createKubeletWorld } from './world.ts';

/** The kubelet names a static pod after its node too. */
const POD = 'web-cristal-test';

describe.each(containerdVersions)('a standalone kubelet on cristal, containerd %s', (version) => {
  describe.skipIf(whyNotKubelet(version))('', () => {
    let all: KubeletWorld;
    let before: Snapshot;

    beforeAll(async () => {
      all = await createKubeletWorld(version);
      before = await snapshot(world());
    });
    afterAll(async () => await all?.[Symbol.asyncDispose]());

    const world = (): World => ({ ...all, cgroup: all.kubelet.cgroup });
    const webPod = async (): Promise<KubeletPod | undefined> => await all.podNamed('web');
    const isReady = async (): Promise<boolean> =>
      (await webPod())?.status.containerStatuses?.every(({ ready }) => ready) === true;

    test('runs a static pod until its exec and http probes are content', async () => {
      all.kubelet.putPod('web', webManifest(all.image));

      expect(await eventually(isReady, 40_000), all.kubelet.log().slice(-4_000)).toBe(true);

      const pod = await webPod();
      expect(pod?.status.phase).toBe('Running');
      expect(pod?.status.podIP).toMatch(new RegExp(`^${all.cni.prefix.replaceAll('.', '\\.')}`));
      expect(pod?.status.containerStatuses?.[0]).toMatchObject({ name: 'httpd', restartCount: 0 });
    });

    test('reads the logs that cristal writes', async () => {
      expect(await all.kubelet.get(`/containerLogs/default/${POD}/httpd`)).toBe('serving\n');
    });

    test('keeps the pod over a restart of cristal', async () => {
      const id = (await webPod())?.status.containerStatuses?.[0]?.containerID;

      await all.cristal.restart();

      expect(await eventually(isReady, 20_000)).toBe(true);
      expect((await webPod())?.status.containerStatuses?.[0]).toMatchObject({
        containerID: id,
        restartCount: 0,
      });
    });

    test('starts the container again when its liveness probe fails', async () => {
      const [container] = (await all.cristal.cri.runtime.listContainers({})).containers;
      await all.cristal.cri.runtime.execSync({
        containerId: container?.id ?? '',
        cmd: ['rm', '/www/index.html'],
      });

      const restarted = await eventually(
        async () => (await webPod())?.status.containerStatuses?.[0]?.restartCount === 1 && (await isReady()),
        40_000,
      );
      expect(restarted, all.kubelet.log().slice(-4_000)).toBe(true);
    });

    test('takes the pod down when its manifest goes, and nothing is left', async () => {
      expect(await all.endPod('web'), all.kubelet.log().slice(-4_000)).toBe(true);

      expect(await leaksSince(before, world(), 20_000)).toEqual([]);
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
