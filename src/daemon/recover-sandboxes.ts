import type { Logger } from 'pino';
import type { Task } from '../containerd/tasks.ts';
import { exists } from '../host/files.ts';
import { readMountInfo } from '../host/mounts.ts';
import { removeSandboxFiles, sandboxFiles } from '../sandbox/files.ts';
import { idsOf, ownNamespaces } from '../sandbox/namespaces.ts';
import type { SandboxHolders } from '../sandbox/release.ts';
import { pinsDir, releaseSandbox } from '../sandbox/release.ts';
import type { Paths } from '../store/paths.ts';
import type { Sandbox, SandboxRecord, SandboxStore } from '../store/sandboxes.ts';
import { NEW_SANDBOX_STATUS } from '../store/sandboxes.ts';
import type { Found } from './mend-each.ts';
import { mendEach } from './mend-each.ts';

/** How long undoing one half-made sandbox may take, in milliseconds. */
const UNDO_MS = 60_000;

export type RecoverSandboxesNeeds = SandboxHolders & {
  readonly sandboxes: SandboxStore;
  readonly paths: Paths;
  readonly log: Logger;
};

/** Rolls half-made sandboxes back, and looks whether the others still have what makes them ready. */
export async function recoverSandboxes(needs: RecoverSandboxesNeeds, found: Found): Promise<void> {
  const { sandboxes, log, paths } = needs;
  const mounted = new Set((await readMountInfo()).map(({ mountPoint }) => mountPoint));
  await mendEach({ store: sandboxes, root: paths.sandboxRoots, log }, found.objects, async (remains) => {
    const { id, record, status } = remains;
    if (!record || status?.state === 'creating') return await dropSandbox(needs, id, record);
    // The status file is there before the record, so one that is missing was lost; the kubelet may remove the pod.
    const known = status ?? { ...NEW_SANDBOX_STATUS, state: 'unknown' as const };
    const task = found.tasks.get(id) ?? null;
    const sandbox = { ...record, ...known };
    sandboxes.restore(sandbox);
    if (sandbox.state !== 'ready' || (await isHeld(needs, sandbox, { mounted, task }))) return;
    log.warn({ sandboxId: id }, 'namespaces of a pod sandbox are gone, it is not ready');
    await sandboxes.setStatus(id, { state: 'notready', pid: 0 });
  });
}

/** A half-made sandbox, or one whose record somebody deleted. */
async function dropSandbox(
  needs: RecoverSandboxesNeeds,
  id: string,
  record: SandboxRecord | null,
): Promise<void> {
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
async function isHeld(
  needs: RecoverSandboxesNeeds,
  sandbox: Sandbox,
  { mounted, task }: { mounted: ReadonlySet<string>; task: Task | null },
): Promise<boolean> {
  const stateDir = needs.paths.sandboxState(sandbox.id);
  const dir = pinsDir(stateDir);
  const own = ownNamespaces(sandbox.config);
  return (
    (await exists(sandboxFiles(stateDir, sandbox.config).hosts)) &&
    (!own.network || mounted.has(`${dir}/net`)) &&
    (idsOf(sandbox.config) === null || mounted.has(`${dir}/user`)) &&
    (!own.ipc || mounted.has(`${dir}/ipc`)) &&
    (sandbox.holder === 'pinned' || (task !== null && task.status !== 'stopped'))
  );
}
