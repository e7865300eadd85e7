import { chmod, lstat, rename, unlink } from 'node:fs/promises';
import net from 'node:net';
import { Fault } from '../lib/fault.ts';

/** Which file a path means right now. Two files never share it while both exist. */
export interface FileIdentity {
  device: bigint;
  inode: bigint;
  isSocket: boolean;
}

/** Null if nothing is there. A symbolic link is not followed. */
export async function identify(path: string): Promise<FileIdentity | null> {
  try {
    const found = await lstat(path, { bigint: true });
    return { device: found.dev, inode: found.ino, isSocket: found.isSocket() };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

/** True if somebody accepts connections there. The file of a server that died is not live. */
export function isLiveSocket(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = net.connect({ path });
  socket.once('connect', () => resolve(true));
  // A full backlog also means that there is a server, if a busy one.
  socket.once('error', (error) => resolve(isErrno(error, 'EAGAIN')));
  return promise.finally(() => socket.destroy());
}

/** Throws `failed_precondition` if somebody listens there, or if it is no socket. `setting` says what to change. */
export async function refuseIfTaken(address: string, setting: string): Promise<void> {
  const found = await identify(address);
  if (!found) return;
  if (!found.isSocket) throw new Fault('failed_precondition', `${address} is there and is not a socket`);
  if (await isLiveSocket(address)) {
    throw new Fault(
      'failed_precondition',
      `another server listens on ${address}: stop it, or choose another \`${setting}\``,
    );
  }
}

/** Gives a bound socket its mode and then its public name, replacing what had that name. */
export async function publishSocket(from: string, to: string, mode: number): Promise<FileIdentity | null> {
  await chmod(from, mode);
  await rename(from, to);
  return await identify(to);
}

/** Removes the path if it still means the same file, and not the socket of a later server. */
export async function removeIfSame(path: string, expected: FileIdentity | null): Promise<void> {
  const found = await identify(path);
  if (!found || found.device !== expected?.device || found.inode !== expected.inode) return;
  await removeFile(path);
}

/** Removes one file. Done if it is gone already. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
