import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

import type { MountInfo } from '../lib/host-facts.ts';
import { hostFault, isErrno } from './errno.ts';

/** The file system that a directory lies on. */
export interface Filesystem {
  /** What is mounted, such as "/dev/sda1". */
  device: string;
  bytes: number;
  inodes: number;
  inodesFree: number;
}

/** Null where there is no such directory. */
export async function filesystemOf(dir: string, mounts: readonly MountInfo[]): Promise<Filesystem | null> {
  try {
    const { blocks, bsize, files, ffree } = await statfs(dir);
    return { device: mountedAt(dir, mounts), bytes: blocks * bsize, inodes: files, inodesFree: ffree };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw hostFault(`measure the file system of ${dir}`, error);
  }
}

/** The source of the mount that a path is on: of the longest mount point, and there of the latest mount. */
function mountedAt(path: string, mounts: readonly MountInfo[]): string {
  let found: MountInfo | undefined;
  for (const mount of mounts) {
    const prefix = mount.mountPoint === '/' ? '/' : `${mount.mountPoint}/`;
    if (!`${path}/`.startsWith(prefix)) continue;
    if (!found || mount.mountPoint.length >= found.mountPoint.length) found = mount;
  }
  return found?.source ?? '';
}

const deviceNames = new Map<string, string>();

/** The node of a block device below /dev, or its numbers where there is none. */
export function blockDeviceName(major: number, minor: number): string {
  const numbers = `${major}:${minor}`;
  let name = deviceNames.get(numbers);
  if (name === undefined) {
    name = readDeviceName(numbers) ?? numbers;
    deviceNames.set(numbers, name);
  }
  return name;
}

function readDeviceName(numbers: string): string | null {
  const path = `/sys/dev/block/${numbers}/uevent`;
  try {
    const name = /^DEVNAME=(.+)$/m.exec(readFileSync(path, 'utf8'))?.[1];
    return name === undefined ? null : `/dev/${name}`;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return null;
    throw hostFault(`read ${path}`, error);
  }
}
