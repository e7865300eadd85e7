import type { Logger } from 'pino';
import { endTask } from '../containerd/end-task.ts';
import { removeCgroup } from '../host/cgroup.ts';
import { findCgroups } from '../host/cgroup-finder.ts';
import { createNetwork } from '../host/cni/network.ts';
import { exists, readText, removeTree } from '../host/files.ts';
import { unmount } from '../host/mounts.ts';
import { killTree } from '../host/process-tree.ts';
import { listShims } from '../host/shims.ts';
import { removeFile } from '../host/socket-file.ts';
import { pinsDir } from '../sandbox/release.ts';
import type { Finding, Trace } from './diagnose.ts';
import type { DoctorNeeds } from './gather.ts';

/** How long one clean-up may take, in milliseconds. */
const FIX_MS = 60_000;

/** What became of one finding. */
export interface Fixed {
  readonly finding: Finding;
  /** Null when it was cleaned. */
  readonly error: unknown;
}

/**
 * Does what the findings say, in their order. Whoever calls holds the lock of the root, and found them while he
 * held it. One that fails does not keep the rest from being done.
 */
export async function fix(needs: DoctorNeeds, findings: readonly Finding[], log: Logger): Promise<Fixed[]> {
  await using network = await createNetwork({ ...needs.config.cni, cacheDir: needs.paths.cniCache, log });
  const fixed: Fixed[] = [];
  for (const finding of findings) {
    if (finding.trace === null) continue;
    const error = await takeAway({ ...needs, network }, finding.trace).then(
      () => null,
      (cause: unknown) => cause,
    );
    fixed.push({ finding, error });
  }
  return fixed;
}

type FixNeeds = DoctorNeeds & { readonly network: Awaited<ReturnType<typeof createNetwork>> };

/** Already gone is done: one clean-up often takes another thing with it. */
async function takeAway(needs: FixNeeds, { kind, id, at }: Trace): Promise<void> {
  const signal = AbortSignal.timeout(FIX_MS);
  const { containerd } = needs;
  switch (kind) {
    case 'task':
      return await endTask(containerd, id, signal);
    case 'shim':
      return await killShim(id, Number(at));
    case 'network': {
      const netns = `${pinsDir(needs.paths.sandboxState(id))}/net`;
      return await needs.network.detach(id, (await exists(netns)) ? netns : null, signal);
    }
    case 'address':
      // DEL has given it back in most cases, and somebody else may have got it.
      if ((await readText(at))?.startsWith(id)) await removeFile(at);
      return;
    case 'mount':
      return await unmount(at);
    case 'files':
    case 'status':
      return await removeTree(at);
    case 'snapshot':
      return void (await containerd.snapshots.remove(...snapshotOf(at), { signal }));
    case 'lease':
      return void (await containerd.leases.delete(id, { sync: true }, { signal }));
    case 'cgroup':
      return await emptyCgroup(id, at);
  }
}

/** The snapshotter, and the snapshot's name there. */
function snapshotOf(at: string): [string, string] {
  const cut = at.indexOf('/');
  return [at.slice(0, cut), at.slice(cut + 1)];
}

/** The pid may be another process's by now. */
async function killShim(id: string, pid: number): Promise<void> {
  if ((await listShims()).some((shim) => shim.id === id && shim.pid === pid)) await killTree(pid);
}

async function emptyCgroup(id: string, path: string): Promise<void> {
  const [cgroup] = (await findCgroups(new Set([id]))).filter((found) => found.path === path);
  for (const pid of cgroup?.pids ?? []) await killTree(pid);
  await removeCgroup(path);
}
