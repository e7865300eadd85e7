import { posix } from 'node:path';
import { cgroupDirectory } from '../host/cgroup.ts';
import { cgroupsPath } from '../spec/cgroups-path.ts';
import type { Sandbox } from '../store/sandboxes.ts';

/**
 * The cgroup that all containers of a pod are in. Null for a pod whose config names none: the default parent
 * belongs to all such pods together, and what it uses is not one pod's.
 */
export function podCgroup(
  { id, config }: Pick<Sandbox, 'id' | 'config'>,
  driver: 'cgroupfs' | 'systemd',
): string | null {
  const parent = config.linux?.cgroupParent ?? '';
  // One that is no slice is of a pod that was made when the driver was cgroupfs.
  if (parent === '' || (driver === 'systemd' && !parent.endsWith('.slice'))) return null;
  return posix.dirname(cgroupDirectory(cgroupsPath({ parent, id, driver })));
}
