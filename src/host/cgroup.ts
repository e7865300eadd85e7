import { lstatSync, statfsSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { Fault } from '../lib/fault.ts';
import type { MountInfo } from '../lib/host-facts.ts';
import { readOnce } from './cgroup/small-files.ts';
import { hostFault, isErrno } from './errno.ts';
import { readMountInfo } from './mounts.ts';

const CGROUP2_SUPER_MAGIC = 0x6367_7270;

/** A cgroup whose last process just died stays busy for a moment. */
const BUSY_RETRIES = 10;
const BUSY_WAIT_MS = 20;

/** 'v2' when the unified hierarchy is the only one; a hybrid host counts as 'v1', as runc has it. */
export function cgroupMode(): 'v1' | 'v2' {
  return statfsSync('/sys/fs/cgroup').type === CGROUP2_SUPER_MAGIC ? 'v2' : 'v1';
}

/**
 * Where below each hierarchy an OCI `cgroupsPath` is: "/kubepods/x" is itself, and the systemd form
 * "a-b.slice:cri-containerd:id" is "/a.slice/a-b.slice/cri-containerd-id.scope".
 */
export function cgroupDirectory(cgroupsPath: string): string {
  const [slice, prefix, name, ...more] = cgroupsPath.split(':');
  if (slice === undefined || prefix === undefined || name === undefined || more.length > 0) {
    return `/${cgroupsPath.split('/').filter(Boolean).join('/')}`;
  }
  const unit = name.endsWith('.slice') ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`;
  return `${sliceDirectory(slice === '' ? 'system.slice' : slice)}/${unit}`;
}

/** systemd nests slices by their dashes. "-.slice" is the root. */
function sliceDirectory(slice: string): string {
  const name = slice.replace(/\.slice$/, '');
  if (name === '-') return '';
  const parts = name.split('-');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('');
}

/**
 * Removes an empty cgroup and the empty ones in it from every hierarchy; done when there is none.
 * Fails with `failed_precondition` while a process is in it.
 */
export async function removeCgroup(cgroupsPath: string): Promise<void> {
  const directory = cgroupDirectory(cgroupsPath);
  if (directory === '/' || directory.split('/').includes('..')) {
    throw new Fault('invalid_argument', `remove cgroup ${cgroupsPath}: not a cgroup of ours`);
  }
  for (const { mountPoint } of await hierarchies()) {
    const path = `${mountPoint}${directory}`;
    // The runtime has taken it away in most cases, and there are up to a dozen places to look at.
    if (lstatSync(path, { throwIfNoEntry: false })) await removeBranch(path);
  }
}

/** How often the kernel killed a process of this cgroup for want of memory; null when it is gone. */
export async function oomKills(cgroupsPath: string): Promise<number | null> {
  const v1 = cgroupMode() === 'v1';
  const memory = (await hierarchies()).find(
    ({ fsType, superOptions }) => (fsType === 'cgroup2') !== v1 && (!v1 || superOptions.includes('memory')),
  );
  if (!memory) return null;
  const file = v1 ? 'memory.oom_control' : 'memory.events';
  const text = readOnce(`${memory.mountPoint}${cgroupDirectory(cgroupsPath)}/${file}`);
  const count = /^oom_kill (\d+)$/m.exec(text ?? '')?.[1];
  return count === undefined ? null : Number(count);
}

let known: Promise<MountInfo[]> | null = null;

/**
 * Where cgroups are mounted. Read once: that stays as it is from the machine's start to its end, and the table of
 * mounts grows with the number of pods.
 */
function hierarchies(): Promise<MountInfo[]> {
  known ??= readMountInfo().then((mounts) =>
    mounts.filter(({ fsType }) => fsType === 'cgroup' || fsType === 'cgroup2'),
  );
  known.catch(() => {
    known = null; // the next one tries again
  });
  return known;
}

/** Deepest first. Only directories are removed: the files of a cgroup go with it. */
async function removeBranch(path: string): Promise<void> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) await removeBranch(`${path}/${entry.name}`);
    await removeWhenIdle(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw hostFault('remove cgroup', error);
  }
}

async function removeWhenIdle(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rmdir(path);
    } catch (error) {
      if (!isErrno(error, 'EBUSY') || attempt > BUSY_RETRIES) throw error;
    }
    await sleep(BUSY_WAIT_MS);
  }
}
