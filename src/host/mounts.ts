import { lstatSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import type { MountInfo } from '../lib/host-facts.ts';
import { hostFault, isErrno } from './errno.ts';
import {
  MNT_DETACH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  mount,
  UMOUNT_NOFOLLOW,
  umount2,
  umount2InPool,
} from './syscalls.ts';

/** Mounts a tmpfs (nosuid, nodev, noexec) of at most `sizeBytes` on a directory that exists. */
export async function mountTmpfs(
  path: string,
  root: { sizeBytes: number; mode: number; uid?: number; gid?: number },
): Promise<void> {
  const { sizeBytes, mode, uid = 0, gid = 0 } = root;
  const data = `size=${sizeBytes},mode=${mode.toString(8)},uid=${uid},gid=${gid}`;
  try {
    mount(path, { source: 'shm', type: 'tmpfs', flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, data });
  } catch (error) {
    throw hostFault(`mount tmpfs (${data})`, error);
  }
}

/** Mounts a file on a file, or a directory on a directory; the target must exist. */
export async function bindMount(source: string, target: string): Promise<void> {
  try {
    mount(target, { source, type: null, flags: MS_BIND, data: null });
  } catch (error) {
    throw hostFault('bind mount', error);
  }
}

/** Detaches all that is mounted on `path`, also while in use. Nothing mounted, or no path, is done. */
export async function unmount(path: string): Promise<void> {
  const flags = MNT_DETACH | UMOUNT_NOFOLLOW;
  try {
    await umount2InPool(path, flags);
    for (;;) umount2(path, flags); // seldom is there another one below it
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) throw hostFault(`unmount ${path}`, error);
  }
}

/** As `unmount`, for all mounts at `dir` and below it, the last one first. */
export async function unmountTree(dir: string): Promise<void> {
  // Most containers have no such directory, and then nothing can be mounted there.
  if (lstatSync(dir, { throwIfNoEntry: false }) === undefined) return;
  for (const { mountPoint } of (await mountsBelow(dir)).toReversed()) await unmount(mountPoint);
}

/** All mounts of our mount namespace, in the order in which they were made. */
export async function readMountInfo(): Promise<MountInfo[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The mounts at `dir` and below it. Symlinks on the way to `dir` are followed, `dir` itself is not. */
export async function mountsBelow(dir: string): Promise<MountInfo[]> {
  const parent = await resolved(dirname(dir));
  if (parent === null) return [];
  const path = join(parent, basename(dir));
  const mounts = await readMountInfo();
  return mounts.filter(({ mountPoint }) => mountPoint === path || mountPoint.startsWith(`${path}/`));
}

async function resolved(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw hostFault(`resolve ${path}`, error);
  }
}

/** Parses the text of /proc/PID/mountinfo. Lines that are not of its form are left out. */
export function parseMountInfo(text: string): MountInfo[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const end = fields.indexOf('-', 6); // between them: any number of propagation fields
    const [id, parentId, device, root, mountPoint, options] = fields;
    const [fsType, source, superOptions] = fields.slice(end + 1);
    if (end < 0 || !id || !device || !root || !mountPoint || options === undefined || !fsType) return [];
    return {
      id: Number(id),
      parentId: Number(parentId),
      device,
      root: unescaped(root),
      mountPoint: unescaped(mountPoint),
      options: options.split(','),
      propagation: propagationOf(fields.slice(6, end)),
      fsType,
      source: unescaped(source ?? ''),
      superOptions: (superOptions ?? '').split(',').map(unescaped),
    };
  });
}

/** A mount can be shared and a slave at once: what is mounted on it then does reach others. */
function propagationOf(tags: string[]): MountInfo['propagation'] {
  if (tags.some((tag) => tag.startsWith('shared:'))) return 'shared';
  if (tags.some((tag) => tag.startsWith('master:'))) return 'slave';
  return tags.includes('unbindable') ? 'unbindable' : 'private';
}

/** The kernel writes space, tab, newline and backslash in three octal digits, byte by byte. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
}
