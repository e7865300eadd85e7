import type { SpecOption } from './build.ts';

/** What of /proc and /sys Kubernetes hides from a container under procMount Default. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

/** What of /proc stays readable but cannot be written, under procMount Default. */
export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

interface PathRules {
  privileged: boolean;
  /** The pod has a user namespace of its own. */
  ownUsers: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
}

/**
 * The config's lists. Two empty lists are either a client that left them out or the kubelet's procMount Unmasked,
 * which Kubernetes allows only in a user namespace. There they are taken at their word, and elsewhere the defaults
 * are the safe reading.
 */
export function withPathRules({ privileged, ownUsers, maskedPaths, readonlyPaths }: PathRules): SpecOption {
  return ({ linux }) => {
    const unset = !ownUsers && maskedPaths.length === 0 && readonlyPaths.length === 0;
    linux.maskedPaths = unset ? [...MASKED_PATHS] : maskedPaths;
    linux.readonlyPaths = unset ? [...READONLY_PATHS] : readonlyPaths;
    if (privileged) linux.maskedPaths = linux.readonlyPaths = [];
  };
}
