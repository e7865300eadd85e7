import type { TasksAndRecords } from '../containerd/end-task.ts';
import { endTask } from '../containerd/end-task.ts';
import type { Network } from '../host/cni/network.ts';
import { exists } from '../host/files.ts';
import type { NamespaceThread } from '../host/namespaces.ts';
import { during, innerFault } from '../lib/fault.ts';

/** What holds a sandbox's resources. */
export interface SandboxHolders {
  readonly containerd: TasksAndRecords;
  readonly network: Pick<Network, 'detach'>;
  readonly namespaces: Pick<NamespaceThread, 'unpin'>;
}

/** The directory that a sandbox's namespaces are pinned in. */
export function pinsDir(stateDir: string): string {
  return `${stateDir}/ns`;
}

/**
 * Frees the network, the process and the namespaces of a sandbox; its files stay until it is removed.
 * Every part that is already gone is done, so it can be repeated after a failure. The pins go last:
 * without the namespace the bridge plugin leaves its masquerading rules behind.
 */
export async function releaseSandbox(
  holders: SandboxHolders,
  sandbox: { id: string; stateDir: string; holder: 'pinned' | 'pause' },
  signal: AbortSignal,
): Promise<void> {
  const { id, stateDir, holder } = sandbox;
  if (holder === 'pause') {
    await endTask(holders.containerd, id, signal).catch((error: unknown) => {
      throw during(`stop the pause container of pod sandbox "${id}"`, innerFault(error));
    });
  }
  const netns = `${pinsDir(stateDir)}/net`;
  await holders.network.detach(id, (await exists(netns)) ? netns : null, signal);
  await holders.namespaces.unpin(pinsDir(stateDir));
}
