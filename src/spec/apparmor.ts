import { Fault } from '../lib/fault.ts';
import type { SpecOption } from './build.ts';
import type { ProfileWish } from './security-profile.ts';

/** The profile that containers get unless they say otherwise, by the name that the kernel knows it. */
export const DEFAULT_APPARMOR_PROFILE = 'cristal-default';

interface ApparmorTerms {
  privileged: boolean;
  /** The kernel has it, and we can load profiles. */
  able: boolean;
}

/**
 * The name of a container's AppArmor profile; null for none. A privileged one is left alone unless it names a
 * profile. Throws `failed_precondition` for a profile that is asked for where the machine has no AppArmor.
 */
export function apparmorProfile(wish: ProfileWish, { privileged, able }: ApparmorTerms): string | null {
  if (wish.kind === 'unconfined') return null;
  if (!able) {
    if (wish.kind === 'unset') return null;
    throw new Fault(
      'failed_precondition',
      'an AppArmor profile is asked for, but this machine has no AppArmor',
    );
  }
  if (wish.kind === 'localhost') return wish.name;
  return privileged ? null : DEFAULT_APPARMOR_PROFILE;
}

export function withAppArmor(profile: string | null): SpecOption {
  return ({ process }) => {
    if (profile !== null) process.apparmorProfile = profile;
  };
}

/** What of the machine's own AppArmor files the default profile builds on. */
export interface ApparmorHost {
  /** `abi/3.0` is there. */
  abi: boolean;
  /** `tunables/global` is there. */
  tunables: boolean;
  /** `abstractions/base` is there. */
  base: boolean;
  /** The profile that cristal itself runs under; "unconfined" is one. */
  daemon: string;
}

/** Who may send a container's processes signals: whoever runs containers, confined or not. */
const SIGNAL_SENDERS = ['unconfined', 'runc', 'crun'];

/** No reading, writing, appending, linking, locking, nor running as program code. */
const NOTHING = 'rwklx';
/** As above, but for reading. */
const NO_CHANGE = 'wklx';

/** Names in /proc that begin with a digit are processes, which are a container's own. */
const DENIED: readonly (readonly [path: string, access: string])[] = [
  ['@{PROC}/*', 'w'],
  ['@{PROC}/[^1-9s/]*/**', 'w'],
  ...othersThan('sys')
    .slice(1)
    .map((name) => [`@{PROC}/${name}*/**`, 'w'] as const),
  ['@{PROC}/sys?*/**', 'w'],
  ['@{PROC}/sys/[^k]**', 'w'],
  ...othersThan('shm').map((name) => [`@{PROC}/sys/kernel/${name}**`, 'w'] as const),
  ['@{PROC}/sysrq-trigger', NOTHING],
  ['@{PROC}/kcore', NOTHING],
  ...othersThan('fs').map((name) => [`/sys/${name}*/**`, NO_CHANGE] as const),
  ...othersThan('cgroup').map((name) => [`/sys/fs/${name}*/**`, NO_CHANGE] as const),
  ['/sys/firmware/**', NOTHING],
  ['/sys/devices/virtual/powercap/**', NOTHING],
  ['/sys/kernel/security/**', NOTHING],
];

/**
 * The text of the default profile, in the language of apparmor.d(5): everything that a container's capabilities and
 * seccomp allow, but no mounts, no tracing of others, and none of the machine's own switches in /proc and /sys,
 * save for the cgroup files and kernel.shm*.
 */
export function defaultApparmorProfile({ abi, tunables, base, daemon }: ApparmorHost): string {
  const self = DEFAULT_APPARMOR_PROFILE;
  const senders = [...new Set([...SIGNAL_SENDERS, daemon])];
  return [
    ...(abi ? ['abi <abi/3.0>,'] : []),
    tunables ? '#include <tunables/global>' : '@{PROC}=/proc/',
    `profile ${self} flags=(attach_disconnected,mediate_deleted) {`,
    ...(base ? ['#include <abstractions/base>'] : []),
    'network,',
    'capability,',
    'file,',
    'umount,',
    ...senders.map((peer) => `signal (receive) peer=${peer},`),
    `signal (send,receive) peer=${self},`,
    `ptrace (trace,tracedby,read,readby) peer=${self},`,
    'deny mount,',
    ...DENIED.map(([path, access]) => `deny ${path} ${access},`),
    '}',
    '',
  ].join('\n');
}

/** The beginnings of all names that do not begin with this one: for "fs" they are `[^f/]` and `f[^s/]`. */
function othersThan(name: string): string[] {
  return name.split('').map((letter, i) => `${name.slice(0, i)}[^${letter}/]`);
}
