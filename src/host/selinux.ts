import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { Fault } from '../lib/fault.ts';
import type { SelinuxContexts } from '../lib/host-facts.ts';
import { hostFault, isErrno } from './errno.ts';
import { readText } from './files.ts';
import { attribute, setAttribute } from './syscalls.ts';

const LABEL = 'security.selinux';

/** To label one of these for a container would take it from everything else on the machine. */
const NOBODYS_OWN = new Set(
  [
    '/ /bin /boot /dev /etc /etc/passwd /etc/pki /etc/shadow /home /lib /lib64 /media /opt /proc /root /run',
    '/sbin /srv /sys /tmp /usr /usr/bin /usr/lib /usr/share /var /var/lib /var/log /var/run',
  ].flatMap((line) => line.split(' ')),
);

/**
 * What the machine's policy gives to containers (container_contexts(5)); null where the policy knows no containers.
 * @param etc holds `selinux/config`.
 */
export async function readSelinuxContexts(etc = '/etc'): Promise<SelinuxContexts | null> {
  const config = (await readText(`${etc}/selinux/config`)) ?? '';
  const policy = /^SELINUXTYPE=(\S+)$/m.exec(config)?.[1];
  if (policy === undefined) return null;
  const contexts = (await readText(`${etc}/selinux/${policy}/contexts/lxc_contexts`)) ?? '';
  const process = contextNamed(contexts, 'process');
  const file = contextNamed(contexts, 'file');
  return process !== null && file !== null ? { process, file } : null;
}

/**
 * Gives a file, or a directory with all that is in it, a label. Symbolic links are labelled and not followed. A file
 * system that keeps no labels is left as it is. Throws `invalid_argument` for directories of the system.
 */
export async function relabel(path: string, label: string): Promise<void> {
  if (NOBODYS_OWN.has(path)) {
    throw new Fault('invalid_argument', `SELinux relabel of ${path}: the machine itself needs its label`);
  }
  try {
    await labelTree(path, label);
  } catch (error) {
    throw hostFault(`SELinux relabel of ${path}`, error);
  }
}

async function labelTree(path: string, label: string): Promise<void> {
  if (attribute(path, LABEL) !== `${label}\0`) {
    if (!setAttribute(path, LABEL, Buffer.from(`${label}\0`))) return;
  }
  if (!(await lstat(path)).isDirectory()) return;
  for (const name of await readdir(path)) {
    try {
      await labelTree(join(path, name), label);
    } catch (error) {
      // Others may be at work in there.
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
}

/** `process = "system_u:system_r:container_t:s0"`, one to a line. */
function contextNamed(text: string, name: string): string | null {
  return new RegExp(`^\\s*${name}\\s*=\\s*"([^"]+)"`, 'm').exec(text)?.[1] ?? null;
}
