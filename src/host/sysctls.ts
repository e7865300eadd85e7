import { Fault } from '../lib/fault.ts';

/** One sysctl to write: its file below /proc/sys, and the key as the caller wrote it. */
export interface Sysctl {
  key: string;
  path: string;
  value: string;
  /** A kernel without it is none the worse. */
  optional: boolean;
}

/** The namespaces that a pod does not share with the host, and whose sysctls it may so set. */
export interface OwnNamespaces {
  network: boolean;
  ipc: boolean;
  uts: boolean;
}

const IPC_KEYS = new Set([
  'kernel/msgmax',
  'kernel/msgmnb',
  'kernel/msgmni',
  'kernel/sem',
  'kernel/shm_rmid_forced',
  'kernel/shmall',
  'kernel/shmmax',
  'kernel/shmmni',
]);

/**
 * Where each sysctl is to be written. Refuses, with `invalid_argument`, any that does not belong to
 * one of the pod's own namespaces: writing it would change the host.
 */
export function planSysctls(sysctls: Record<string, string>, own: OwnNamespaces): Sysctl[] {
  return Object.entries(sysctls).map(([key, value]) => {
    const name = sysctlName(key);
    const kind = namespaceOf(name);
    if (kind === null) throw new Fault('invalid_argument', `sysctl ${key} is not namespaced`);
    if (!own[kind]) throw new Fault('invalid_argument', `sysctl ${key} needs its own ${kind} namespace`);
    return { key, path: `/proc/sys/${name}`, value, optional: false };
  });
}

/** "a.b/c.d" and "a/b.c/d" are both "a/b.c/d": the first separator says which of the two is meant. */
function sysctlName(key: string): string {
  const first = /[./]/.exec(key)?.[0];
  const swap: Record<string, string> = { '.': '/', '/': '.' };
  const name = first === '.' ? key.replaceAll(/[./]/g, (separator) => swap[separator] ?? '') : key;
  const parts = name.split('/');
  if (parts.length < 2 || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new Fault('invalid_argument', `sysctl ${key} is not a valid name`);
  }
  return name;
}

function namespaceOf(name: string): keyof OwnNamespaces | null {
  if (name.startsWith('net/')) return 'network';
  if (name.startsWith('fs/mqueue/') || IPC_KEYS.has(name)) return 'ipc';
  return name === 'kernel/domainname' ? 'uts' : null;
}

/**
 * Those that a pod has without asking: what `defaults` names, as far as its namespaces are its own and it does
 * not set them itself.
 */
export function planDefaults(
  defaults: Record<string, string>,
  own: OwnNamespaces,
  asked: readonly Sysctl[],
): Sysctl[] {
  return Object.entries(defaults).flatMap(([key, value]) => {
    const name = sysctlName(key);
    const kind = namespaceOf(name);
    const path = `/proc/sys/${name}`;
    const wanted = kind !== null && own[kind] && asked.every((sysctl) => sysctl.path !== path);
    return wanted ? [{ key, path, value, optional: true }] : [];
  });
}
