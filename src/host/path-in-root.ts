import { closeSync, constants, openSync, readlinkSync, statSync } from 'node:fs';

import { Fault } from '../lib/fault.ts';
import { hostFault, isErrno } from './errno.ts';
import { close, openInRoot } from './syscalls.ts';

/**
 * The real path of the directory that `path` is to somebody whose root is `root`: symlinks are followed within it and
 * never out of it. Null when there is nothing; `failed_precondition` when it is a file. Needs Linux 5.6.
 */
export function directoryInRoot(root: string, path: string): string | null {
  try {
    const found = pathInRoot(root, path);
    if (statSync(found).isDirectory()) return found;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw hostFault(`look for ${path} in ${root}`, error);
  }
  throw new Fault('failed_precondition', `${path} is not a directory`);
}

function pathInRoot(root: string, path: string): string {
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const fd = openInRoot(rootFd, path === '' ? '.' : path);
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } finally {
      close(fd);
    }
  } finally {
    closeSync(rootFd);
  }
}
