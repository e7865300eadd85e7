import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PrivateCni } from '../fixtures/cni.ts';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { CriClient } from '../fixtures/cri-client.ts';
import { CriError } from '../fixtures/cri-client.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import type { FakeCni } from '../fixtures/fake-cni.ts';
import type { BuiltImage } from '../fixtures/images.ts';
import { busyboxImage, pushImage } from '../fixtures/images.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { leaks, snapshot } from '../fixtures/leaks.ts';
import { eventually, processes } from '../fixtures/processes.ts';
import type { GrpcProxy } from '../fixtures/proxy.ts';
import { startProxy } from '../fixtures/proxy.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { removeScratch, scratchDir, tag } from '../fixtures/scratch.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';

/** Ends at once on TERM, by itself never. */
export const SLEEPER = ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'];

/** Ends with this code as soon as its pod's /dev/shm has a file `end`. */
export const endsOnRequest = (code: number): string[] => [
  'sh',
  '-c',
  `until [ -e /dev/shm/end ]; do usleep 20000; done; exit ${code}`,
];

/** How long one CNI plugin may take in these tests, in milliseconds. */
export const CNI_TIMEOUT_MS = 1_500;

/** cristal behind a proxy to a containerd of its own, with a plugin that fails on request. */
export interface FaultWorld extends AsyncDisposable {
  containerd: PrivateContainerd;
  proxy: GrpcProxy;
  cni: PrivateCni;
  fake: FakeCni;
  cristal: PrivateCristal;
  cri: CriClient;
  /** Pulled and unpacked already. */
  image: string;
  /** The other images that the test asked for. */
  images: Readonly<Record<string, string>>;
  /** Where the logs of all pods go, one directory each. */
  logs: string;
  /** A pod's configuration: the same name gives the same metadata. */
  pod(name: string, change?: { linux?: object; [key: string]: unknown }): PodConfig;
  container(name: string, command?: string[], change?: object): ContainerConfig;
  runPod(pod: PodConfig, handler?: string): Promise<string>;
  createContainer(podId: string, pod: PodConfig, container: ContainerConfig): Promise<string>;
  /** A pod with one started container. */
  runContainer(pod: PodConfig, container: ContainerConfig, handler?: string): Promise<Started>;
  containerState(id: string): Promise<string>;
  podIds(): Promise<string[]>;
  state(): Promise<Snapshot>;
  /** What is there and was not in `before`, after up to five seconds in which it may go. */
  left(before: Snapshot, ms?: number): Promise<string[]>;
  /** Takes all faults back and removes all pods, so that a test that failed does not fail the next ones. */
  heal(): Promise<void>;
}

export interface PodConfig {
  metadata: { name: string; namespace: string; uid: string; attempt: number };
  logDirectory: string;
  [key: string]: unknown;
}

export interface ContainerConfig {
  metadata: { name: string; attempt: number };
  logPath: string;
  [key: string]: unknown;
}

export interface Started {
  podId: string;
  id: string;
}

/** More of cristal's configuration: keys before its first table, and tables. Its environment, and images by name. */
export interface MoreConfig {
  settings?: string[];
  tables?: string[];
  env?: Record<string, string>;
  images?: Readonly<Record<string, BuiltImage>>;
}

export async function createFaultWorld(
  version: ContainerdVersion,
  { settings = [], tables = [], env = {}, images = {} }: MoreConfig = {},
): Promise<FaultWorld> {
  await using started = new AsyncDisposableStack();
  const logs = started.adopt(scratchDir('faults'), removeScratch);
  const cgroup = `/cristal-test-${tag()}`;
  started.defer(() => removeCgroups(cgroup));
  const cni = started.use(createCni({ faulty: true }));
  const { fake } = cni;
  if (fake === null) throw new Error('the faulty plugin was asked for');
  started.defer(() => fake.endHanging());
  const containerd = started.use(await startContainerd({ version }));
  const proxy = started.use(await startProxy(containerd.address));

  await using registry = await startRegistry();
  const cristal = started.use(
    await startCristal({
      containerd: { address: proxy.address, version },
      cni,
      tables: [
        `timeout_ms = ${CNI_TIMEOUT_MS}`,
        '[images]',
        `certs_dir = ${JSON.stringify(registry.certsDir)}`,
        '[runtimes.paused]',
        'sandbox = "pause"',
        ...tables,
      ],
      settings,
      env,
    }),
  );
  const { cri } = cristal;
  const image = `${registry.host}/busybox:1`;
  await pushImage(registry.url, 'busybox', '1', await busyboxImage());
  await cri.image.pullImage({ image: { image } });
  const pulled: Record<string, string> = {};
  for (const [name, built] of Object.entries(images)) {
    pulled[name] = `${registry.host}/${name}:1`;
    await pushImage(registry.url, name, '1', built);
    await cri.image.pullImage({ image: { image: pulled[name] } });
  }

  const runPod = async (pod: PodConfig, runtimeHandler = ''): Promise<string> => {
    mkdirSync(pod.logDirectory, { recursive: true });
    return (await cri.runtime.runPodSandbox({ config: pod, runtimeHandler })).podSandboxId;
  };
  const createContainer = async (podSandboxId: string, pod: PodConfig, config: ContainerConfig) =>
    (await cri.runtime.createContainer({ podSandboxId, config, sandboxConfig: pod })).containerId;
  const state = async (): Promise<Snapshot> => {
    const all = await snapshot({ containerd, cni, cristal });
    // The tests of others run beside ours, so that only cgroups and processes below our own parent are ours.
    const ours = all.filter((line) => !/^(cgroup|shim socket) /.test(line));
    const running = processes().filter((process) => process.cgroup.includes(`${cgroup}/`));
    const groups = cgroupDirs(cgroup).flatMap(childrenOf);
    return [
      ...ours,
      ...groups.map((dir) => `cgroup ${dir}`),
      ...running.map(({ pid, command }) => `process ${pid}: ${command}`),
    ];
  };
  const files = started.move();
  const world: FaultWorld = {
    containerd,
    proxy,
    cni,
    fake,
    cristal,
    cri,
    image,
    images: pulled,
    logs,
    runPod,
    createContainer,
    state,
    pod: (name, { linux, ...change } = {}) => ({
      metadata: { name, namespace: 'default', uid: `uid-${name}`, attempt: 0 },
      hostname: name,
      logDirectory: join(logs, name),
      linux: { cgroupParent: cgroup, ...linux },
      ...change,
    }),
    container: (name, command = SLEEPER, change = {}) => ({
      metadata: { name, attempt: 0 },
      image: { image },
      command,
      logPath: `${name}.log`,
      linux: {},
      ...change,
    }),
    runContainer: async (pod, container, handler) => {
      const podId = await runPod(pod, handler);
      const id = await createContainer(podId, pod, container);
      await cri.runtime.startContainer({ containerId: id });
      return { podId, id };
    },
    containerState: async (containerId) =>
      (await cri.runtime.containerStatus({ containerId })).status?.state ?? '',
    podIds: async () => (await cri.runtime.listPodSandbox({})).items.map(({ id }) => id),
    left: async (before, ms = 5_000) => {
      let found: string[] = [];
      await eventually(async () => {
        found = leaks(before, await state());
        return found.length === 0;
      }, ms);
      return found;
    },
    heal: async () => {
      proxy.clearRules();
      for (const command of ['ADD', 'DEL', 'CHECK', 'GC'] as const) fake.fault(command, null);
      if (containerd.pid() === 0) await containerd.resume();
      if (!cristal.isRunning()) await cristal.resume();
      await eventually(async () => await isReady(cri));
      for (const { id } of (await cri.runtime.listPodSandbox({})).items) {
        await cri.runtime.removePodSandbox({ podSandboxId: id });
      }
    },
    [Symbol.asyncDispose]: async () => await files.disposeAsync(),
  };
  // What all pause containers share is made with the first one, and stays.
  const first = await runPod(world.pod('first'), 'paused');
  await cri.runtime.removePodSandbox({ podSandboxId: first });
  return world;
}

/** True when the runtime and the network are ready, as the kubelet asks for it. */
export async function isReady(cri: CriClient): Promise<boolean> {
  const { status } = await cri.runtime.status({});
  const asked = status?.conditions.filter(({ type }) => type === 'RuntimeReady' || type === 'NetworkReady');
  return asked?.every((condition) => condition.status) ?? false;
}

/** The error of a call that has to fail; it throws when the call does not. */
export async function failure(call: Promise<unknown>): Promise<CriError> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof CriError) return error;
    throw error;
  }
  throw new Error(`the call was to fail and answered ${JSON.stringify(answer)}`);
}

/** Where a cgroup is in each hierarchy that has it. */
function cgroupDirs(path: string): string[] {
  const top = '/sys/fs/cgroup';
  return [top, ...readdirSync(top).map((name) => join(top, name))]
    .map((dir) => join(dir, path))
    .filter(existsSync);
}

function childrenOf(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name));
}

/** The parent is named by our pods; runc makes it in every hierarchy and removes only what is below. */
function removeCgroups(path: string): void {
  for (const dir of cgroupDirs(path)) {
    for (const child of childrenOf(dir)) rmdirSync(child);
    rmdirSync(dir);
  }
}
