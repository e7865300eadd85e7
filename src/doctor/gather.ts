import type { Config } from '../config/schema.ts';
import type { Containerd } from '../containerd/client.ts';
import { findCgroups } from '../host/cgroup-finder.ts';
import { hostLocalAllocations } from '../host/cni/allocations.ts';
import { recordedNetworks } from '../host/cni/cache.ts';
import { readConfigDir } from '../host/cni/config-dir.ts';
import { listDir } from '../host/files.ts';
import { readMountInfo } from '../host/mounts.ts';
import { parentOf } from '../host/process-tree.ts';
import { isRootLocked } from '../host/root-lock.ts';
import { listShims } from '../host/shims.ts';
import { deadLeases } from '../registry/lease.ts';
import type { Paths } from '../store/paths.ts';
import { ROOT_LABEL } from '../store/paths.ts';
import type { Facts, Trace } from './diagnose.ts';
import { gatherExpected } from './gather-expected.ts';

export interface DoctorNeeds {
  readonly config: Config;
  readonly containerd: Containerd;
  readonly paths: Paths;
}

/** Looks at all that pods leave on a machine, and changes nothing. */
export async function gatherFacts(needs: DoctorNeeds): Promise<Facts> {
  const running = await isRootLocked(needs.config.root);
  // Before and after: what a running cristal makes or removes meanwhile is in one of the two.
  const before = await idsNow(needs);
  const kept = [...(await tracesInContainerd(needs)), ...(await tracesOnHost(needs))];
  const traces = [...kept, ...(await lostShims(needs, kept))];
  const expected = await gatherExpected(needs);
  const after = await idsNow(needs);
  const recorded = before.recorded.union(after.recorded);
  const intended = before.intended.union(after.intended);
  const ids = new Set(traces.map(({ id }) => id).filter((id) => !recorded.has(id)));
  const cgroups = (await findCgroups(ids)).map(({ id, path }) => ({
    kind: 'cgroup' as const,
    id,
    at: path,
    ours: false,
  }));
  return { running, recorded, intended, traces: [...traces, ...cgroups], expected };
}

async function idsNow({ containerd, paths }: DoctorNeeds): Promise<Pick<Facts, 'recorded' | 'intended'>> {
  const intended = [...(await listDir(paths.sandboxRoots)), ...(await listDir(paths.containerRoots))];
  const objects = await containerd.containers.list([]);
  return { recorded: new Set(objects.map(({ id }) => id)), intended: new Set(intended) };
}

async function tracesInContainerd({ config, containerd }: DoctorNeeds): Promise<Trace[]> {
  const [tasks, stale] = await Promise.all([containerd.tasks.list(), deadLeases(containerd)]);
  return [
    ...tasks.map(({ id }): Trace => ({ kind: 'task', id, at: '', ours: false })),
    ...stale.map((id): Trace => ({ kind: 'lease', id, at: '', ours: true })),
    ...(await snapshotTraces({ config, containerd })),
  ];
}

/**
 * Those that have no task which containerd lists: the shim of a listed one ends with it. A pod's shim is named after
 * the container that came first, and goes on for the others when that is gone.
 */
async function lostShims({ config, containerd }: DoctorNeeds, traces: readonly Trace[]): Promise<Trace[]> {
  const { namespace, address } = config.containerd;
  const tasks = await containerd.tasks.list();
  const parents = await Promise.all(
    tasks.map(async ({ pid, status }) => (status === 'stopped' ? null : await parentOf(pid))),
  );
  // Nothing tells which shim holds a task that has ended, and with it the only news of how.
  if (parents.includes(null)) return [];
  const listed = new Set(tasks.map(({ id }) => id));
  const ours = new Set(traces.filter((trace) => trace.ours).map(({ id }) => id));
  // By its address a shim is our containerd's; one that is reached in two ways has two.
  const lost = (await listShims()).filter(
    (shim) =>
      shim.namespace === namespace &&
      !listed.has(shim.id) &&
      !parents.includes(shim.pid) &&
      (shim.address === address || ours.has(shim.id)),
  );
  return lost.map(({ id, pid }) => ({ kind: 'shim', id, at: String(pid), ours: false }));
}

/** A container's own, and the views of image volumes beside it. The first carries the root of its cristal. */
async function snapshotTraces({
  config,
  containerd,
}: Pick<DoctorNeeds, 'config' | 'containerd'>): Promise<Trace[]> {
  const ofRuntimes = Object.values(config.runtimes).map(({ snapshotter }) => snapshotter);
  const names = [config.containerd.snapshotter, ...ofRuntimes].filter((name) => name !== '');
  const traces: Trace[] = [];
  for (const snapshotter of new Set(names)) {
    for (const { name, kind, labels } of await containerd.snapshots.list(snapshotter)) {
      const id = /^([0-9a-f]{64})(?:-volume-\d+)?$/.exec(name)?.[1];
      if (kind === 'committed' || id === undefined) continue;
      traces.push({
        kind: 'snapshot',
        id,
        at: `${snapshotter}/${name}`,
        ours: labels[ROOT_LABEL] === config.root,
      });
    }
  }
  return traces;
}

async function ofDir(dir: string, kind: Trace['kind']): Promise<Trace[]> {
  return (await listDir(dir)).map((id) => ({ kind, id, at: `${dir}/${id}`, ours: true }));
}

async function tracesOnHost({ config, paths }: DoctorNeeds): Promise<Trace[]> {
  const roots = [paths.sandboxState(''), paths.containerMounts('')];
  const networks = await recordedNetworks(paths.cniCache);
  const { network } = await readConfigDir(config.cni.confDir);
  return [
    ...networks.map(({ id }): Trace => ({ kind: 'network', id, at: '', ours: true })),
    ...(await addresses([...networks.map((entry) => entry.network), network])),
    ...(await readMountInfo()).flatMap(({ mountPoint }) => mountTraces(mountPoint, roots)),
    ...(await filesBelow(paths.sandboxState(''))),
    ...(await filesBelow(paths.containerState(''))),
    ...(await filesBelow(paths.containerMounts(''))),
    ...(await ofDir(paths.sandboxRoots, 'status')),
    ...(await ofDir(paths.containerRoots, 'status')),
  ];
}

async function filesBelow(directory: string): Promise<Trace[]> {
  return await ofDir(directory.replace(/\/$/, ''), 'files');
}

/** @param roots the directories, each with a slash at its end, that have a directory for each id. */
function mountTraces(at: string, roots: readonly string[]): Trace[] {
  const root = roots.find((directory) => at.startsWith(directory));
  const id = root === undefined ? '' : (at.slice(root.length).split('/')[0] ?? '');
  return id === '' ? [] : [{ kind: 'mount', id, at, ours: true }];
}

async function addresses(
  networks: readonly (Parameters<typeof hostLocalAllocations>[0] | null)[],
): Promise<Trace[]> {
  const byFile = new Map<string, Trace>();
  for (const network of networks) {
    if (network === null) continue;
    for (const { file, id } of await hostLocalAllocations(network)) {
      byFile.set(file, { kind: 'address', id, at: file, ours: false });
    }
  }
  return [...byFile.values()];
}
