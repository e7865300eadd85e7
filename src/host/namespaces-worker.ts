import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

import { during, Fault, messageOf } from '../lib/fault.ts';
import { hostFault, isErrno } from './errno.ts';
import {
  bringUp,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWUTS,
  close,
  MNT_DETACH,
  MS_BIND,
  mount,
  sethostname,
  setns,
  tcpSocket,
  UMOUNT_NOFOLLOW,
  umount2,
  unshare,
} from './syscalls.ts';
import type { Sysctl } from './sysctls.ts';
import { serveCalls, ThreadSpoiled } from './worker-calls.ts';

// The thread that walks into new namespaces and back. All it does in between is synchronous, so
// nothing else runs in this thread, and no thread is started from it, while it is away from home.

type Kind = 'net' | 'ipc' | 'uts';

/** What is left to do once the request was checked: see namespaces.ts. */
export interface PinOrder {
  dir: string;
  kinds: Kind[];
  /** '' leaves the host's name in the new UTS namespace. */
  hostname: string;
  sysctls: Sysctl[];
  /** A process that has them already, in a user namespace that is pinned with them; 0 to make them here. */
  from: number;
}

const FLAG: Record<Kind, number> = { net: CLONE_NEWNET, ipc: CLONE_NEWIPC, uts: CLONE_NEWUTS };
const KINDS: Kind[] = ['net', 'ipc', 'uts'];

const home = new Map(KINDS.map((kind) => [kind, openSync(`/proc/thread-self/ns/${kind}`, 'r')]));

function pin({ dir, kinds, hostname, sysctls, from }: PinOrder): void {
  const made: (() => void)[] = [];
  try {
    if (mkdirSync(dir, { recursive: true, mode: 0o711 }) !== undefined) made.push(() => rmdirSync(dir));
    for (const kind of kinds) {
      const path = `${dir}/${kind}`;
      closeSync(openSync(path, 'wx', 0o444));
      made.push(() => unpinOne(path));
    }
    if (from > 0) {
      made.push(() => unpinOne(`${dir}/user`));
      pinUser(from, `${dir}/user`);
    }
    abroad(kinds, from, () => {
      if (kinds.includes('uts') && hostname !== '') sethostname(hostname);
      if (kinds.includes('net')) bringUp('lo');
      for (const sysctl of sysctls) writeSysctl(sysctl);
      for (const kind of kinds) bindOwn(kind, `${dir}/${kind}`);
    });
  } catch (error) {
    const leftovers = undo(made);
    const step = `pin namespaces in ${dir}`;
    if (error instanceof ThreadSpoiled) throw error;
    throw hostFault(leftovers === '' ? step : `${step} (left behind: ${leftovers})`, error);
  }
}

/** We cannot enter it, since we have several threads, and need not: all that it owns is open to the machine's root. */
function pinUser(from: number, path: string): void {
  closeSync(openSync(path, 'wx', 0o444));
  mount(path, { source: `/proc/${from}/ns/user`, type: null, flags: MS_BIND, data: null });
}

/** Runs `act` in new namespaces of these kinds, or in those of process `from`, and comes home whatever happens. */
function abroad(kinds: Kind[], from: number, act: () => void): void {
  if (kinds.length === 0) return;
  if (from === 0) unshare(kinds.reduce((flags, kind) => flags | FLAG[kind], 0));
  try {
    if (from > 0) for (const kind of kinds) enter(kind, `/proc/${from}/ns/${kind}`);
    act();
  } finally {
    for (const kind of kinds) goHome(kind);
  }
}

function goHome(kind: Kind): void {
  try {
    setns(home.get(kind) ?? -1, FLAG[kind]);
  } catch (error) {
    throw new ThreadSpoiled('internal', `return to the host's ${kind} namespace: ${messageOf(error)}`);
  }
}

/** What namespaces.ts asks for: see NamespaceThread.openSocket. */
export interface SocketOrder {
  netns: string;
  family: 4 | 6;
}

/** A socket belongs to the namespace it was made in, so all that comes after can be done from home. */
function openSocket({ netns, family }: SocketOrder): number {
  let socket = -1;
  try {
    enter('net', netns);
    try {
      socket = tcpSocket(family);
    } finally {
      goHome('net');
    }
    return socket;
  } catch (error) {
    if (socket !== -1) close(socket);
    if (error instanceof ThreadSpoiled) throw error;
    throw hostFault(`open a tcp${family} socket in ${netns}`, error);
  }
}

function enter(kind: Kind, path: string): void {
  const fd = openSync(path, 'r');
  try {
    setns(fd, FLAG[kind]);
  } finally {
    closeSync(fd);
  }
}

/** See NamespaceThread.netDev. Goes from one namespace to the next, and home once. */
function netDev(netnsPaths: string[]): (string | null)[] {
  try {
    return netnsPaths.map(netDevOf);
  } finally {
    goHome('net');
  }
}

function netDevOf(path: string): string | null {
  try {
    enter('net', path);
    return readFileSync('/proc/thread-self/net/dev', 'latin1');
  } catch (error) {
    // EINVAL: the file is there, and no namespace is mounted on it any more.
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return null;
    throw hostFault(`read the interfaces of ${path}`, error);
  }
}

function bindOwn(kind: Kind, path: string): void {
  mount(path, { source: `/proc/thread-self/ns/${kind}`, type: null, flags: MS_BIND, data: null });
}

/** /proc/sys shows the namespaces of the thread that opens a file there: hence from this thread. */
function writeSysctl({ key, path, value, optional }: Sysctl): void {
  try {
    writeFileSync(path, value, { flag: 'r+' });
  } catch (error) {
    if (optional && isErrno(error, 'ENOENT')) return;
    const step = `set sysctl ${key} to "${value}"`;
    // The pod asked for one that this kernel does not have: that is not "no such pod".
    throw isErrno(error, 'ENOENT') ? during(step, error, 'invalid_argument') : hostFault(step, error);
  }
}

/** Unmounts all that is stacked on the pin file and removes it. Where there is nothing, does nothing. */
function unpinOne(path: string): void {
  try {
    for (;;) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) throw error;
  }
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
}

/** Takes back what was made, newest first. Says what it could not, or ''. */
function undo(made: (() => void)[]): string {
  const failed: string[] = [];
  for (const takeBack of made.toReversed()) {
    try {
      takeBack();
    } catch (error) {
      failed.push(messageOf(error));
    }
  }
  return failed.join('; ');
}

if (!parentPort) throw new Fault('internal', 'namespaces-worker.ts runs as a worker thread only');
serveCalls(parentPort, handlers());

/** What this thread serves: its type is what namespaces.ts calls. */
export type NamespaceCalls = ReturnType<typeof handlers>;

function handlers() {
  return { ready: () => null, pin, openSocket, netDev };
}
