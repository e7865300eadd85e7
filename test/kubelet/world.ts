import type { PrivateCni } from '../fixtures/cni.ts';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import { busyboxImage, pushImage } from '../fixtures/images.ts';
import type { KubeletOptions, KubeletPod, PrivateKubelet } from '../fixtures/kubelet.ts';
import { startKubelet } from '../fixtures/kubelet.ts';
import { eventually } from '../fixtures/processes.ts';
import { startRegistry } from '../fixtures/registry.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';

/** A kubelet on a cristal of its own. */
export interface KubeletWorld extends AsyncDisposable {
  containerd: PrivateContainerd;
  cni: PrivateCni;
  cristal: PrivateCristal;
  kubelet: PrivateKubelet;
  /** A busybox, in a registry that lives as long. */
  image: string;
  /** The pod of a manifest with this name. */
  podNamed(name: string): Promise<KubeletPod | undefined>;
  /** Takes a manifest away; true when its pod is down. Then removes it, as the kubelet would a minute later. */
  endPod(name: string): Promise<boolean>;
}

export async function createKubeletWorld(
  version: ContainerdVersion,
  options: Omit<KubeletOptions, 'cri'> = {},
): Promise<KubeletWorld> {
  await using started = new AsyncDisposableStack();
  const registry = started.use(await startRegistry());
  await pushImage(registry.url, 'busybox', '1', await busyboxImage({ config: { Env: ['PATH=/bin'] } }));
  const cni = started.use(createCni());
  const containerd = started.use(await startContainerd({ version }));
  const cristal = started.use(await startCristal({ containerd, cni, certsDir: registry.certsDir }));
  const kubelet = started.use(await startKubelet({ cri: cristal.address, ...options }));

  const { runtime } = cristal.cri;
  const isDown = async (): Promise<boolean> =>
    (await runtime.listPodSandbox({})).items.every(({ state }) => state === 'SANDBOX_NOTREADY');
  const stack = started.move();
  return {
    containerd,
    cni,
    cristal,
    kubelet,
    image: `${registry.host}/busybox:1`,
    // The kubelet names a static pod after its node too.
    podNamed: async (name) =>
      (await kubelet.pods()).find(({ metadata }) => metadata.name === `${name}-${kubelet.node}`),
    endPod: async (name) => {
      kubelet.removePod(name);
      const down = await eventually(isDown, 30_000);
      for (const { id } of (await runtime.listPodSandbox({})).items) {
        await runtime.removePodSandbox({ podSandboxId: id });
      }
      return down;
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}
