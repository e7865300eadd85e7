import type { Capability__Output } from '../gen/runtime/v1/Capability.ts';
import { Fault } from '../lib/fault.ts';
import type { SpecOption } from './build.ts';

/** All capabilities in the kernel's order (capabilities(7)). Runtimes leave out what their kernel lacks. */
const KNOWN = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE',
  'NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT',
  'SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE',
  'AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ',
  'PERFMON BPF CHECKPOINT_RESTORE',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));

/** What a container may do when its config says nothing: the set that Docker made the custom. */
const DEFAULT = [
  'CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD',
  'AUDIT_WRITE SETFCAP',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));

interface CapabilityWish {
  privileged: boolean;
  capabilities: Capability__Output | null;
  /** Whether we hold CAP_SYS_RESOURCE. Where it was taken from us nobody below can have it. */
  maySetResources: boolean;
}

/**
 * The default set with what the config adds and drops. ALL is meant before single names, so that dropping all and
 * adding one leaves that one. Privileged is everything that we could give, whatever else the config says.
 * Throws `invalid_argument` for a name that no kernel has.
 */
export function withCapabilities({ privileged, capabilities, maySetResources }: CapabilityWish): SpecOption {
  const all = KNOWN.filter((name) => maySetResources || name !== 'CAP_SYS_RESOURCE');
  const adds = (capabilities?.addCapabilities ?? []).map(normalised);
  const drops = (capabilities?.dropCapabilities ?? []).map(normalised);
  const ambients = (capabilities?.addAmbientCapabilities ?? []).map(normalised);

  const granted = privileged ? all : grantedBy({ all, adds: [...adds, ...ambients], drops });
  const ambient = privileged ? [] : expanded(ambients, all).filter((name) => granted.includes(name));

  return ({ process }) => {
    process.capabilities = {
      bounding: granted,
      effective: granted,
      permitted: granted,
      // The kernel lets only inheritable capabilities be ambient; the rest stays out, for a program without
      // file capabilities would otherwise pass them on by accident.
      inheritable: ambient,
      ambient,
    };
  };
}

function grantedBy({ all, adds, drops }: { all: string[]; adds: string[]; drops: string[] }): string[] {
  const start = adds.includes('ALL') ? all : DEFAULT;
  const granted = new Set(drops.includes('ALL') ? [] : start);
  for (const name of adds) if (name !== 'ALL') granted.add(name);
  for (const name of drops) granted.delete(name);
  return KNOWN.filter((name) => granted.has(name));
}

function expanded(names: string[], all: string[]): string[] {
  return names.includes('ALL') ? all : KNOWN.filter((name) => names.includes(name));
}

function normalised(word: string): string {
  const name = word.toUpperCase();
  if (name === 'ALL') return name;
  const full = name.startsWith('CAP_') ? name : `CAP_${name}`;
  if (!KNOWN.includes(full)) throw new Fault('invalid_argument', `unknown capability "${word}"`);
  return full;
}
