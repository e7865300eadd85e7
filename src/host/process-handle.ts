import { readFileSync } from 'node:fs';

import { hostFault, isErrno } from './errno.ts';
import { close, openPidfd, signalPidfd } from './syscalls.ts';

/** Why a process cannot be held: it is gone, this kernel or a filter has no pidfds, or we have no descriptor left. */
const CANNOT_HOLD = ['ESRCH', 'EINVAL', 'ENOSYS', 'EPERM', 'EMFILE', 'ENFILE'];

/**
 * Holds on to one process. A pid can be another process's a moment later, so what is signalled is never found by it
 * again. Disposing lets go of the process, and leaves it alone.
 */
export class ProcessHandle implements Disposable {
  /** Whether it is the first of a pid namespace, which ends with it: who kills it kills all that are in there. */
  readonly isNamespaceInit: boolean;
  #fd: number;

  private constructor(fd: number, isNamespaceInit: boolean) {
    this.#fd = fd;
    this.isNamespaceInit = isNamespaceInit;
  }

  /**
   * Null where there is no process of that pid in a cgroup with `name` in its path, or where none can be held. The
   * cgroup tells a reused pid, and one that is meant for another pid namespace than ours.
   */
  static open(pid: number, name: string): ProcessHandle | null {
    let fd: number;
    try {
      fd = openPidfd(pid);
    } catch (error) {
      if (isErrno(error, ...CANNOT_HOLD)) return null;
      throw hostFault(`hold process ${pid}`, error);
    }
    let isHeld = false;
    try {
      const found = factsOf(pid);
      if (found === null || !found.cgroups.includes(name)) return null;
      // What /proc said is of the held process only if that one is still there afterwards.
      signalPidfd(fd, 0);
      isHeld = true;
      return new ProcessHandle(fd, isFirst(found.status));
    } catch (error) {
      if (isErrno(error, ...CANNOT_HOLD)) return null;
      throw error;
    } finally {
      if (!isHeld) close(fd);
    }
  }

  /** False when the process is gone, or was let go. */
  signal(signal: number): boolean {
    if (this.#fd < 0) return false;
    try {
      signalPidfd(this.#fd, signal);
      return true;
    } catch (error) {
      if (isErrno(error, 'ESRCH')) return false;
      throw hostFault('signal a process', error);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    close(this.#fd);
    this.#fd = -1;
  }
}

/** Read at once: these files are made by the kernel as they are read, and a thread for each would cost more. */
function factsOf(pid: number): { cgroups: string; status: string } | null {
  try {
    const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'latin1');
    return { cgroups: read('cgroup'), status: read('status') };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return null;
    throw hostFault(`look at process ${pid}`, error);
  }
}

/** Its pids, as of our own namespace and then of each below it, are "NSpid: 4711 1" when it is the first of one. */
export function isFirst(status: string): boolean {
  const pids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return pids.length > 1 && pids.at(-1) === '1';
}
