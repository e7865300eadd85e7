import type { ContainerdClient } from '../containerd.ts';
import { createContainerdClient, inNamespace } from '../containerd.ts';
import type { Plugins } from '../plugins.ts';
import { createPlugins } from '../plugins.ts';
import { bringUp } from '../pods.ts';
import type { Scene } from '../scene.ts';
import type { Bench } from '../sides.ts';
import type { Times } from '../times.ts';
import { add, noTimes, timed } from '../times.ts';

const ROUNDS = 50;
const WARM_UP = 3;
const SNAPSHOTTER = 'overlayfs';
/** What containerd calls the JSON of a Go type of OCI's. */
const OCI = 'types.containerd.io/opencontainers/runtime-spec/1/';

/** The rows take the names of the CRI calls whose floor they are. */
export const floor: Scene = {
  name: 'floor',
  what: 'What no CRI server can do without, by the most direct calls of the same client: the CNI plugins alone (RunPodSandbox, StopPodSandbox); snapshot and record (CreateContainer); create and start by a new shim, with the spec of a container of cristal (StartContainer); an exec from Tasks.Exec to its exit (ExecSync); kill until the exit (StopContainer); deletion of record and snapshot (RemoveContainer). Pod up is the plugins, create and start; pod down is kill, deletion of the task, and the plugins.',
  async play(stage, bench) {
    using containerd = createContainerdClient(bench.sides.cristal.containerd.address);
    using plugins = createPlugins(bench.cni);
    const model = await modelOf(bench, containerd);
    for (let round = -WARM_UP; round < stage.rounds(ROUNDS); round++) {
      const times = round < 0 ? noTimes() : stage.times;
      await oneRound({ containerd, plugins, model, times: times.floor }, `floor${round + WARM_UP}`);
    }
  },
};

/** A container of cristal's, in whose pod and with whose spec those of the floor run. */
interface Model {
  readonly spec: { process: object; linux: object; annotations?: Record<string, string> };
  readonly parent: string;
  readonly runtime: string;
}

async function modelOf(bench: Bench, { containers, snapshots }: ContainerdClient): Promise<Model> {
  const { containerId } = await bringUp(bench, { side: 'cristal', name: 'floor' });
  const { container } = await containers.get({ id: containerId }, inNamespace);
  const key = container?.snapshotKey ?? '';
  const { info } = await snapshots.stat({ snapshotter: SNAPSHOTTER, key }, inNamespace);
  const spec = JSON.parse(Buffer.from(container?.spec?.value ?? '').toString()) as Model['spec'];
  return { spec, parent: info?.parent ?? '', runtime: container?.runtime?.name ?? '' };
}

interface Needs {
  readonly containerd: ContainerdClient;
  readonly plugins: Plugins;
  readonly model: Model;
  readonly times: Times['floor'];
}

async function oneRound(needs: Needs, id: string): Promise<void> {
  const { containerd, times } = needs;
  const network = await callPlugins(needs, 'ADD', id);
  add(times, 'RunPodSandbox', network);
  const rootfs = await timed(times, 'CreateContainer', () => createRecord(needs, id));
  const start = performance.now();
  await timed(times, 'StartContainer', () => createTask(needs, id, rootfs));
  add(times, 'pod up', network + performance.now() - start);

  await exec(needs, id);

  const end = performance.now();
  await timed(times, 'StopContainer', () => killTask(needs, id));
  await timed(times, 'Tasks.Delete', () => containerd.tasks.delete({ containerId: id }, inNamespace));
  const ended = performance.now() - end;
  const networkDown = await callPlugins(needs, 'DEL', id);
  add(times, 'StopPodSandbox', networkDown);
  add(times, 'pod down', ended + networkDown);
  await timed(times, 'RemoveContainer', () => deleteRecord(needs, id));
}

/** All plugins in their order; how long they took together. */
async function callPlugins(
  { plugins, times }: Needs,
  verb: 'ADD' | 'DEL',
  containerId: string,
): Promise<number> {
  const start = performance.now();
  for (const type of verb === 'ADD' ? plugins.types : plugins.types.toReversed()) {
    await timed(times, `CNI ${verb} of ${type}`, () => plugins.run(verb, type, containerId));
  }
  return performance.now() - start;
}

async function createRecord({ containerd, model }: Needs, id: string) {
  const { spec, parent, runtime } = model;
  // Held without a lease until the record has it.
  const labels = { 'containerd.io/gc.root': new Date().toISOString() };
  const snapshot = { snapshotter: SNAPSHOTTER, key: id, parent, labels };
  const { mounts } = await containerd.snapshots.prepare(snapshot, inNamespace);
  // Containers of one sandbox share a shim; this one gets its own, as the first of a pod does.
  const annotations = { ...spec.annotations, 'io.kubernetes.cri.sandbox-id': id };
  const linux = { ...spec.linux, cgroupsPath: `/k8s.io/${id}` };
  const container = {
    id,
    spec: pack('Spec', { ...spec, annotations, linux }),
    snapshotter: SNAPSHOTTER,
    snapshotKey: id,
    runtime: { name: runtime },
  };
  await containerd.containers.create({ container }, inNamespace);
  return mounts;
}

async function createTask(
  { containerd: { tasks }, times }: Needs,
  containerId: string,
  rootfs: Awaited<ReturnType<typeof createRecord>>,
): Promise<void> {
  await timed(times, 'Tasks.Create, with a new shim', () =>
    tasks.create({ containerId, rootfs }, inNamespace),
  );
  await timed(times, 'Tasks.Start', () => tasks.start({ containerId }, inNamespace));
}

async function exec({ containerd: { tasks }, model, times }: Needs, containerId: string): Promise<void> {
  const execId = 'true';
  const spec = pack('Process', { ...model.spec.process, args: ['true'] });
  await timed(times, 'ExecSync of true', async () => {
    await tasks.exec({ containerId, execId, spec }, inNamespace);
    await Promise.all([
      tasks.start({ containerId, execId }, inNamespace),
      tasks.wait({ containerId, execId }, inNamespace),
    ]);
  });
  await tasks.deleteProcess({ containerId, execId }, inNamespace);
}

async function killTask({ containerd: { tasks } }: Needs, containerId: string): Promise<void> {
  const exited = tasks.wait({ containerId }, inNamespace);
  await Promise.all([exited, tasks.kill({ containerId, signal: 9 }, inNamespace)]);
}

async function deleteRecord({ containerd }: Needs, id: string): Promise<void> {
  await containerd.containers.delete({ id }, inNamespace);
  await containerd.snapshots.remove({ snapshotter: SNAPSHOTTER, key: id }, inNamespace);
}

function pack(type: string, value: object): { type_url: string; value: Buffer } {
  return { type_url: `${OCI}${type}`, value: Buffer.from(JSON.stringify(value)) };
}
