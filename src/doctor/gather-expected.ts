import { exists, listDir } from '../host/files.ts';
import { readMountInfo } from '../host/mounts.ts';
import { isCode } from '../lib/fault.ts';
import { ownNamespaces } from '../sandbox/namespaces.ts';
import { pinsDir } from '../sandbox/release.ts';
import type { ContainerRecord, ContainerStatus } from '../store/containers.ts';
import { createContainerStore } from '../store/containers.ts';
import type { SandboxRecord, SandboxStatus } from '../store/sandboxes.ts';
import { createSandboxStore } from '../store/sandboxes.ts';
import type { Expected } from './diagnose.ts';
import type { DoctorNeeds } from './gather.ts';

/** What is there, for the looks at each object. */
interface Present {
  readonly mounted: ReadonlySet<string>;
  readonly tasks: ReadonlySet<string>;
}

/** What is written down of our objects, and what of it is missing. A record that cannot be read is left out. */
export async function gatherExpected(needs: DoctorNeeds): Promise<Expected[]> {
  const { containerd, paths } = needs;
  const sandboxes = createSandboxStore(containerd.containers, paths);
  const containers = createContainerStore(containerd.containers, paths);
  const ours = new Set([...(await listDir(paths.sandboxRoots)), ...(await listDir(paths.containerRoots))]);
  const objects = (await containerd.containers.list([])).filter(({ id }) => ours.has(id));
  const present = {
    tasks: new Set((await containerd.tasks.list()).map(({ id }) => id)),
    mounted: new Set((await readMountInfo()).map(({ mountPoint }) => mountPoint)),
  };
  const expected: Expected[] = [];
  for (const object of objects) {
    const sandbox = await bothOf(sandboxes, object);
    if (sandbox) expected.push(ofSandbox(needs, sandbox, present));
    const container = await bothOf(containers, object);
    if (container) expected.push(await ofContainer(container, present));
  }
  return expected;
}

type Object = Awaited<ReturnType<DoctorNeeds['containerd']['containers']['list']>>[number];

/** Null for another kind of object, one without a status, and one that cannot be read, which the daemon logs. */
async function bothOf<R, S>(
  store: { readRecord(object: Object): R | null; readStatus(id: string): Promise<S | null> },
  object: Object,
): Promise<(R & S) | null> {
  try {
    const record = store.readRecord(object);
    const status = record && (await store.readStatus(object.id));
    return record && status && { ...record, ...status };
  } catch (error) {
    if (isCode(error, 'data_loss')) return null;
    throw error;
  }
}

function ofSandbox(
  { paths }: DoctorNeeds,
  { id, state, holder, config }: SandboxRecord & SandboxStatus,
  { mounted, tasks }: Present,
): Expected {
  const pins = pinsDir(paths.sandboxState(id));
  const own = ownNamespaces(config);
  const missing: string[] = [];
  if (own.network && !mounted.has(`${pins}/net`)) missing.push('its network namespace');
  if (own.ipc && !mounted.has(`${pins}/ipc`)) missing.push('its IPC namespace');
  if (own.ipc && !mounted.has(`${paths.sandboxState(id)}/shm`)) missing.push('its /dev/shm');
  if (holder === 'pause' && !tasks.has(id)) missing.push('its process');
  return { id, kind: 'pod sandbox', alive: state === 'ready', missing };
}

async function ofContainer(
  { id, state, logPath }: ContainerRecord & ContainerStatus,
  { tasks }: Present,
): Promise<Expected> {
  const missing: string[] = [];
  if (!tasks.has(id)) missing.push('its task');
  if (logPath !== '' && state === 'running' && !(await exists(logPath)))
    missing.push(`its log file ${logPath}`);
  return { id, kind: 'container', alive: state === 'running', missing };
}
