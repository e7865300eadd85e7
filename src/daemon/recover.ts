import type { Containerd } from '../containerd/client.ts';
import type { RecoverContainersNeeds } from './recover-containers.ts';
import { recoverContainers } from './recover-containers.ts';
import type { RecoverNetworkNeeds } from './recover-network.ts';
import { recoverNetwork } from './recover-network.ts';
import type { RecoverSandboxesNeeds } from './recover-sandboxes.ts';
import { recoverSandboxes } from './recover-sandboxes.ts';

export type RecoverNeeds = RecoverContainersNeeds &
  RecoverNetworkNeeds &
  RecoverSandboxesNeeds & {
    readonly containerd: Pick<Containerd, 'tasks' | 'snapshots' | 'containers' | 'leases'>;
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
  const found = { objects, tasks: new Map(listed.map((task) => [task.id, task])) };
  await recoverSandboxes(needs, found);
  const dropped = await recoverContainers(needs, found);
  await recoverNetwork(needs, found);
  // It held the snapshots of containers in the making. What is still wanted of them has a record now.
  await needs.containerd.leases.delete(needs.lease, { sync: dropped > 0 });
  await needs.containerd.leases.create(needs.lease, { 'io.cristal.lease': 'containers in the making' });
  needs.log.info(
    { sandboxes: needs.sandboxes.list().length, containers: needs.containers.list().length },
    'state recovered',
  );
}
