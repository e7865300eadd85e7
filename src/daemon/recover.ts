import type { Logger } from 'pino';
import { endExec } from '../container/exec-session.ts';
import { removeContainer } from '../container/remove.ts';
import type { TaskNeeds } from '../container/task.ts';
import { isGone, killAndDelete, openIo, recordExit, releaseTask } from '../container/task.ts';
import type { Containerd } from '../containerd/client.ts';
import type { ContainerRecord as ContainerdObject } from '../containerd/containers.ts';
import type { Task } from '../containerd/tasks.ts';
import type { Network } from '../host/cni/network.ts';
import { hasReader } from '../host/fifo.ts';
import { exists, listDir, removeTree } from '../host/files.ts';
import { mountsBelow } from '../host/mounts.ts';
import type { NamespaceThread } from '../host/namespaces.ts';
import { messageOf } from '../lib/fault.ts';
import { nowNs } from '../lib/time.ts';
import { removeSandboxFiles, sandboxFiles } from '../sandbox/files.ts';
import { ownNamespaces } from '../sandbox/namespaces.ts';
import { pinsDir, releaseSandbox } from '../sandbox/release.ts';
import type { Container, ContainerRecord } from '../store/containers.ts';
import { NEW_STATUS } from '../store/containers.ts';
import type { RecordStore } from '../store/record-store.ts';
import type { Sandbox, SandboxRecord, SandboxStatus, SandboxStore } from '../store/sandboxes.ts';
import { reconcile } from './reconcile.ts';

/** How long undoing one half-made thing may take, in milliseconds. */
const UNDO_MS = 60_000;

export type RecoverNeeds = TaskNeeds & {
  readonly containerd: Pick<Containerd, 'tasks' | 'snapshots' | 'containers' | 'leases'>;
  readonly sandboxes: SandboxStore;
  readonly namespaces: Pick<NamespaceThread, 'unpin'>;
  readonly network: Pick<Network, 'attachments' | 'attachment' | 'detach' | 'gc'>;
  readonly config: { readonly maxLogLineBytes: number };
  readonly lease: string;
};

/**
 * Makes memory agree with the machine before the socket opens. What it assumes: one cristal at a
 * time works on a root directory; nobody else writes our status files; containerd may have lost, and
 * others may have deleted, anything. One thing that cannot be read or mended is logged and set
 * aside, and never keeps the rest from coming up.
 */
export async function recover(needs: RecoverNeeds): Promise<void> {
  const [objects, listed] = await Promise.all([
    needs.containerd.containers.list([]),
    needs.containerd.tasks.list(),
  ]);
  const tasks = new Map(listed.map((task) => [task.id, task]));
  await recoverSandboxes(needs, objects, tasks);
  const dropped = await recoverContainers(needs, objects, tasks);
  await recoverNetwork(needs, objects);
  // It held the snapshots of containers in the making. What is still wanted of them has a record now.
  await needs.containerd.leases.delete(needs.lease, { sync: dropped > 0 });
  await needs.containerd.leases.create(needs.lease, { 'io.cristal.lease': 'containers in the making' });
  needs.log.info(
    { sandboxes: needs.sandboxes.list().length, containers: needs.containers.list().length },
    'state recovered',
  );
}

async function recoverSandboxes(
  needs: RecoverNeeds,
  objects: ContainerdObject[],
  tasks: Map<string, Task>,
): Promise<void> {
  const { sandboxes, log, paths } = needs;
  const records = readRecords(sandboxes, objects, log);
  const ids = new Set([...records.keys(), ...(await listDir(paths.sandboxRoots))]);
  for (const id of ids) {
    const record = records.get(id);
    if (record === 'unreadable') continue;
    await guarded(log, { sandboxId: id }, 'pod sandbox could not be recovered, set aside', async () => {
      const status = await statusOrNull(sandboxes, id, log);
      if (!record || status?.state === 'creating') return await dropSandbox(needs, id, record ?? null);
      // The status file is there before the record, so one that is missing was lost; the kubelet may remove the pod.
      const known = status ?? { state: 'unknown' as const, ips: [], pid: 0 };
      sandboxes.put(await sandboxAsItIs(needs, { ...record, ...known }, tasks.get(id) ?? null));
    });
  }
}

/** A half-made sandbox, or one whose record somebody deleted. */
async function dropSandbox(needs: RecoverNeeds, id: string, record: SandboxRecord | null): Promise<void> {
  needs.log.info({ sandboxId: id }, 'rolling back a half-made pod sandbox');
  const stateDir = needs.paths.sandboxState(id);
  // Without its record we do not know whether it had a process; asking to stop one that is not there is free.
  const holder = record?.holder ?? 'pause';
  await releaseSandbox(needs, { id, stateDir, holder }, AbortSignal.timeout(UNDO_MS));
  await removeSandboxFiles(stateDir);
  await needs.sandboxes.deleteRecord(id);
  await needs.sandboxes.forget(id);
}

/** After a reboot the namespaces and files are gone, and without its process a pause sandbox is not ready either. */
async function sandboxAsItIs(needs: RecoverNeeds, sandbox: Sandbox, task: Task | null): Promise<Sandbox> {
  if (sandbox.state !== 'ready') return sandbox;
  const stateDir = needs.paths.sandboxState(sandbox.id);
  const dir = pinsDir(stateDir);
  const mounted = new Set((await mountsBelow(dir)).map(({ mountPoint }) => mountPoint));
  const own = ownNamespaces(sandbox.config);
  const held =
    (await exists(sandboxFiles(stateDir, sandbox.config).hosts)) &&
    (!own.network || mounted.has(`${dir}/net`)) &&
    (!own.ipc || mounted.has(`${dir}/ipc`)) &&
    (sandbox.holder === 'pinned' || (task !== null && task.status !== 'stopped'));
  if (held) return sandbox;
  needs.log.warn({ sandboxId: sandbox.id }, 'namespaces of a pod sandbox are gone, it is not ready');
  const status: SandboxStatus = { state: 'notready', ips: sandbox.ips, pid: 0 };
  await needs.sandboxes.saveStatus(sandbox.id, status);
  return { ...sandbox, ...status };
}

/** Answers how many were half-made or half-removed. */
async function recoverContainers(
  needs: RecoverNeeds,
  objects: ContainerdObject[],
  tasks: Map<string, Task>,
): Promise<number> {
  const { containers, log, paths } = needs;
  const records = readRecords(containers, objects, log);
  const snapshotters = new Map(objects.map(({ id, snapshotter }) => [id, snapshotter]));
  const ids = new Set([...records.keys(), ...(await listDir(paths.containerRoots))]);
  for (const id of ids) {
    const record = records.get(id);
    if (record === 'unreadable') continue;
    await guarded(log, { containerId: id }, 'container could not be recovered, set aside', async () => {
      const status = await statusOrNull(containers, id, log);
      const container = { ...record, ...NEW_STATUS, ...(status ?? lostStatus(record)), id };
      await recoverContainer(needs, container as Container, {
        task: tasks.get(id) ?? (await unlistedTask(needs, container)),
        recorded: record !== undefined,
        snapshotter: snapshotters.get(id) ?? '',
      });
    });
  }
  return [...ids].filter((id) => records.get(id) !== 'unreadable' && !containers.get(id)).length;
}

/** The task of a container that ran and is not in the list, when its shim only does not answer. */
async function unlistedTask(
  needs: RecoverNeeds,
  { id, state, pid }: Pick<Container, 'id' | 'state' | 'pid'>,
): Promise<Task | null> {
  if (state !== 'running' || (await isGone(needs, id, AbortSignal.timeout(UNDO_MS)))) return null;
  return { id, execId: '', pid, status: 'unknown', exitStatus: 0, exitedAt: 0n };
}

/** Of a container whose status file is gone: its task tells whether it runs. */
function lostStatus(record: ContainerRecord | undefined): Partial<Container> {
  return record ? { state: 'unknown', message: 'its status file was lost' } : {};
}

async function recoverContainer(
  needs: RecoverNeeds,
  container: Container,
  found: { task: Task | null; recorded: boolean; snapshotter: string },
): Promise<void> {
  const { id } = container;
  const late = AbortSignal.timeout(UNDO_MS);
  const decision = reconcile(found.recorded ? container.state : 'creating', found.task);
  needs.log.debug(
    { containerId: id, recorded: container.state, action: decision.action },
    'container reconciled',
  );
  switch (decision.action) {
    case 'undo-create':
    case 'finish-removal':
      needs.log.info(
        { containerId: id, action: decision.action },
        'clearing a half-made or half-removed container',
      );
      await removeContainer(needs, { ...container, snapshotter: found.snapshotter }, late);
      return;
    case 'undo-start':
      await killAndDelete(needs, id, late);
      await releaseTask(needs, id, late);
      return await put(needs, container, { state: 'created', pid: 0 });
    case 'keep':
      needs.containers.put(container);
      // A start that was cut off before its task came to be has made the FIFOs.
      return await removeTree(needs.paths.containerState(id));
    case 'delete-task':
      needs.containers.put(container);
      return await killAndDelete(needs, id, late).then(() => releaseTask(needs, id, late));
    case 'watch':
      await put(needs, container, {
        state: 'running',
        pid: decision.pid || container.pid,
        startedAt: container.startedAt || nowNs(),
      });
      await endExecs(needs, id);
      await openIo(needs, container, needs.config.maxLogLineBytes);
      return;
    case 'mark-exited': {
      // Where the shim still holds the FIFOs, they have output that nobody read.
      needs.containers.put({ ...container, state: 'running' });
      if (hasReader(`${needs.paths.containerState(id)}/stdout`)) {
        await openIo(needs, container, needs.config.maxLogLineBytes);
      }
      await recordExit(needs, id, decision.exit);
    }
  }
}

async function put(needs: RecoverNeeds, container: Container, change: Partial<Container>): Promise<void> {
  needs.containers.put(container);
  await needs.containers.setStatus(container.id, change).catch((err: unknown) => {
    // It is found out again at the next start. A full disk must not leave the output unread.
    needs.log.warn({ err, containerId: container.id }, 'could not write down how a container was found');
  });
}

/** Execs whose caller went away with the cristal that served them: their directories tell their ids. */
async function endExecs(needs: RecoverNeeds, id: string): Promise<void> {
  const execs = await listDir(`${needs.paths.containerState(id)}/exec`);
  for (const execId of execs) {
    await endExec(needs, { containerId: id, execId }, AbortSignal.timeout(UNDO_MS));
  }
}

/** CNI state of sandboxes that are no more, and of those that stopped without a DEL. */
async function recoverNetwork(needs: RecoverNeeds, objects: ContainerdObject[]): Promise<void> {
  const { network, sandboxes, log } = needs;
  const ready = sandboxes
    .list()
    .filter(({ state }) => state === 'ready')
    .map(({ id }) => id);
  for (const id of await network.attachments()) {
    // One that was set aside still has its directory, and perhaps running containers.
    if (sandboxes.get(id) || (await exists(`${needs.paths.sandboxRoots}/${id}`))) continue;
    await guarded(log, { sandboxId: id }, 'could not detach a pod sandbox that is gone', async () => {
      await network.detach(id, null, AbortSignal.timeout(UNDO_MS));
    });
  }
  // A plugin frees all that it is not told to keep, and we cannot tell it of another runtime's pods.
  const foreign = objects.some(
    ({ id, labels }) => labels['io.cri-containerd.kind'] === 'sandbox' && !sandboxes.get(id),
  );
  if (foreign) {
    log.info('pods of another CRI server are in this namespace, CNI garbage collection left out');
    return;
  }
  await guarded(log, {}, 'CNI garbage collection failed', async () => await network.gc(ready));
}

/** The records of one kind. One that cannot be read is logged, and left alone with all that belongs to it. */
function readRecords<R extends { id: string; name: string; createdAt: bigint }, S extends object>(
  store: RecordStore<R, S>,
  objects: ContainerdObject[],
  log: Logger,
): Map<string, R | 'unreadable'> {
  const records = new Map<string, R | 'unreadable'>();
  for (const object of objects) {
    try {
      const record = store.readRecord(object);
      if (record) records.set(object.id, record);
    } catch (err) {
      log.error({ err, id: object.id }, 'record is unreadable, set aside');
      records.set(object.id, 'unreadable');
    }
  }
  return records;
}

/** A status that cannot be read counts as lost: the record and the task say enough to go on. */
async function statusOrNull<S>(
  store: { readStatus(id: string): Promise<S | null> },
  id: string,
  log: Logger,
): Promise<S | null> {
  try {
    return await store.readStatus(id);
  } catch (err) {
    log.error({ err, id }, 'status file is unreadable, taken as lost');
    return null;
  }
}

async function guarded(
  log: Logger,
  fields: object,
  message: string,
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act();
  } catch (err) {
    log.error({ err, cause: messageOf(err), ...fields }, message);
  }
}
