import { opendirSync, readFileSync, readlinkSync } from 'node:fs';

import { hostFault, isErrno } from './errno.ts';

/**
 * Names the open files of a process one by one, as far as readlink(2) does: "socket:[123]", "/a/path".
 * A generator, since a process may have a million of them. Ends early for a process that does.
 */
export function* openFiles(pid: number): Generator<string> {
  const dir = `/proc/${pid}/fd`;
  try {
    using handle = opendirSync(dir);
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync()) {
      const target = linkOf(`${dir}/${entry.name}`);
      if (target !== null) yield target;
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ESRCH')) throw hostFault(`list ${dir}`, error);
  }
}

/** Null for a descriptor that was closed since it was listed. */
function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return null;
    throw error;
  }
}

/** How many files a process may have open, null when it is gone. */
export function openFilesLimit(pid: number): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return null;
    throw hostFault(`read the limits of process ${pid}`, error);
  }
}
