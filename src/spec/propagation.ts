import { posix } from 'node:path';
import type { MountPropagation__Output } from '../gen/runtime/v1/MountPropagation.ts';
import { Fault } from '../lib/fault.ts';
import type { MountInfo } from '../lib/host-facts.ts';

type Option = 'rprivate' | 'rslave' | 'rshared';

const OPTIONS: Record<MountPropagation__Output, Option> = {
  PROPAGATION_PRIVATE: 'rprivate',
  PROPAGATION_HOST_TO_CONTAINER: 'rslave',
  PROPAGATION_BIDIRECTIONAL: 'rshared',
};

/**
 * The bind option of a propagation. Mounts can only travel where the host's own mount lets them, so throws
 * `failed_precondition` when it would promise more than `source`'s mount can keep.
 */
export function propagationOption(
  wanted: MountPropagation__Output,
  source: string,
  mounts: readonly MountInfo[],
): Option {
  const option = OPTIONS[wanted];
  if (option === 'rprivate') return option;

  const mount = mountOf(source, mounts);
  const enough = mount?.propagation === 'shared' || (option === 'rslave' && mount?.propagation === 'slave');
  if (enough) return option;

  const needs = option === 'rshared' ? 'a shared mount' : 'a shared or slave mount';
  const found = mount ? `a ${mount.propagation} one at ${mount.mountPoint}` : 'not mounted at all';
  throw new Fault(
    'failed_precondition',
    `mount of ${source} with ${wanted}: it must be on ${needs} of the host and is on ${found}`,
  );
}

/** The mount that a path is on. Of several stacked on one mount point the last is the one seen. */
function mountOf(path: string, mounts: readonly MountInfo[]): MountInfo | null {
  const above = mounts.filter(({ mountPoint }) => isBelow(path, mountPoint));
  return above.reduce<MountInfo | null>(
    (best, mount) => (best && best.mountPoint.length > mount.mountPoint.length ? best : mount),
    null,
  );
}

function isBelow(path: string, directory: string): boolean {
  const relative = posix.relative(directory, path);
  return relative !== '..' && !relative.startsWith('../');
}
