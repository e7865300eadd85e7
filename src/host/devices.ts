import { lstat, readdir, realpath } from 'node:fs/promises';

import { during, Fault } from '../lib/fault.ts';
import type { HostDevice } from '../lib/host-facts.ts';
import { isErrno } from './errno.ts';

/** What the kernel or a container mounts there is not hardware, and /dev/console is always made anew. */
const NOT_DEVICES = new Set([
  'pts',
  'shm',
  'fd',
  'mqueue',
  'hugepages',
  'console',
  '.lxc',
  '.lxd-mounts',
  '.udev',
]);

/** The devices that are at a path of the host. */
export interface DevicesAtPath {
  /** The path with its symbolic links followed. */
  realPath: string;
  /** One at `realPath` itself, or those below it. */
  devices: HostDevice[];
}

/** All devices below /dev, as they are now: what was plugged in a moment ago is there. */
export async function readHostDevices(): Promise<HostDevice[]> {
  return await readDevices('/dev');
}

/**
 * The device that a path leads to, or all devices below a directory. Rejects with `invalid_argument`, which
 * names the path, where there is nothing or no device.
 */
export async function devicesAt(path: string): Promise<DevicesAtPath> {
  try {
    const realPath = await realpath(path);
    const isDirectory = (await lstat(realPath)).isDirectory();
    const devices = isDirectory ? await readDevices(realPath) : await readDevice(realPath);
    if (devices.length > 0) return { realPath, devices };
    const what = isDirectory ? 'no device is in this directory' : 'this is not a device';
    throw new Fault('invalid_argument', what);
  } catch (error) {
    const missing = isErrno(error, 'ENOENT', 'ENOTDIR');
    const cause = missing ? new Fault('invalid_argument', 'no such device on this machine') : error;
    throw during(`device ${path}`, cause, 'invalid_argument');
  }
}

/** Null where there is none, or something else. */
export async function deviceAt(path: string): Promise<HostDevice | null> {
  try {
    return (await readDevice(await realpath(path)))[0] ?? null;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw during(`device ${path}`, error);
  }
}

/** Takes apart a device number as Linux packs it in 64 bits. */
export function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n);
  return { major: Number(major), minor: Number(minor) };
}

async function readDevices(dir: string): Promise<HostDevice[]> {
  const skipped = dir === '/dev' ? NOT_DEVICES : new Set<string>();
  const found: HostDevice[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = `${dir}/${entry.name}`;
    if (skipped.has(entry.name)) continue;
    if (entry.isDirectory()) found.push(...(await readDevices(path)));
    else if (entry.isCharacterDevice() || entry.isBlockDevice()) found.push(...(await readDevice(path)));
  }
  return found;
}

/** None when it is no device, or was unplugged since we saw its name. */
async function readDevice(path: string): Promise<HostDevice[]> {
  try {
    const node = await lstat(path, { bigint: true });
    if (!node.isBlockDevice() && !node.isCharacterDevice()) return [];
    const type = node.isBlockDevice() ? 'b' : 'c';
    const mode = Number(node.mode & 0o777n);
    return [{ path, type, ...deviceNumbers(node.rdev), mode, uid: Number(node.uid), gid: Number(node.gid) }];
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
