import { posix } from 'node:path';
import { Fault } from '../lib/fault.ts';
import type { SpecOption } from './build.ts';

/** The parent of pods whose config names none, in the words of each driver. */
const DEFAULT_PARENT = { cgroupfs: '/k8s.io', systemd: 'k8s.slice' } as const;

interface CgroupWish {
  /** From the sandbox's config; empty when it has no wish. */
  parent: string;
  id: string;
  driver: 'cgroupfs' | 'systemd';
}

/**
 * Where a container's cgroup goes, in the form that the runtime expects for its driver: a path for cgroupfs,
 * `slice:prefix:name` for systemd. Throws `invalid_argument` when the parent is of the other driver's form.
 */
export function cgroupsPath({ parent, id, driver }: CgroupWish): string {
  if (driver === 'cgroupfs') return posix.join('/', parent || DEFAULT_PARENT.cgroupfs, id);

  // The kubelet sends the whole path of a slice, and systemd needs only its name.
  const slice = posix.basename(parent || DEFAULT_PARENT.systemd);
  if (!slice.endsWith('.slice')) {
    throw new Fault(
      'invalid_argument',
      `cgroup parent "${parent}" is not a slice, but the cgroup driver is systemd: ` +
        'set the same driver in the kubelet and in cristal (cgroup_driver)',
    );
  }
  return `${slice}:cri-containerd:${id}`;
}

export function withCgroupsPath(path: string): SpecOption {
  return ({ linux }) => {
    linux.cgroupsPath = path;
  };
}
