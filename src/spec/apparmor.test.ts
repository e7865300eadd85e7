import { describe, expect, test } from 'vitest';
import {
  apparmorProfile,
  DEFAULT_APPARMOR_PROFILE,
  defaultApparmorProfile,
  withAppArmor,
} from './apparmor.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import type { ProfileWish } from './security-profile.ts';

const MINE: ProfileWish = { kind: 'localhost', name: 'mine' };
const plain = { privileged: false, able: true };
const privileged = { privileged: true, able: true };
const unable = { privileged: false, able: false };

test.each<[string, ProfileWish, typeof plain, string | null]>([
  ['nothing said', { kind: 'unset' }, plain, DEFAULT_APPARMOR_PROFILE],
  ['the default', { kind: 'default' }, plain, DEFAULT_APPARMOR_PROFILE],
  ['unconfined', { kind: 'unconfined' }, plain, null],
  ['a profile', MINE, plain, 'mine'],
  ['privileged, nothing said', { kind: 'unset' }, privileged, null],
  ['privileged, the default', { kind: 'default' }, privileged, null],
  ['privileged, a profile', MINE, privileged, 'mine'],
  ['no AppArmor, nothing said', { kind: 'unset' }, unable, null],
  ['no AppArmor, unconfined', { kind: 'unconfined' }, unable, null],
])('the profile: %s', (_, wish, terms, expected) => {
  expect(apparmorProfile(wish, terms)).toBe(expected);
  const { process } = buildSpec(EMPTY_SPEC, [withAppArmor(expected)]);
  expect(process.apparmorProfile).toBe(expected ?? undefined);
});

test.each([{ kind: 'default' } as const, MINE])('%j is refused without AppArmor', (wish) => {
  expect(() => apparmorProfile(wish, unable)).toThrow(
    expect.objectContaining({ code: 'failed_precondition', message: expect.stringMatching(/no AppArmor/) }),
  );
});

describe('the default profile', () => {
  const bare = { abi: false, tunables: false, base: false, daemon: 'unconfined' };

  test('builds on what the machine has', () => {
    expect(defaultApparmorProfile(bare)).not.toMatch(/include|^abi/);
    expect(defaultApparmorProfile(bare)).toContain('@{PROC}=/proc/\n');
    const full = defaultApparmorProfile({ abi: true, tunables: true, base: true, daemon: 'unconfined' });
    expect(full.split('\n').slice(0, 4)).toEqual([
      'abi <abi/3.0>,',
      '#include <tunables/global>',
      'profile cristal-default flags=(attach_disconnected,mediate_deleted) {',
      '#include <abstractions/base>',
    ]);
  });

  test('lets each of those that run containers send signals, once', () => {
    const text = defaultApparmorProfile({ ...bare, daemon: 'cristal' });
    for (const peer of ['unconfined', 'runc', 'crun', 'cristal']) {
      expect(text.split(`signal (receive) peer=${peer},`)).toHaveLength(2);
    }
    expect(defaultApparmorProfile(bare).split('peer=unconfined,')).toHaveLength(2);
  });

  test.each([
    ['/proc/12/oom_score_adj', ''],
    ['/proc/1/attr/current', ''],
    ['/proc/version', 'w'],
    ['/proc/irq/1/smp_affinity', 'w'],
    ['/proc/sysvipc/shm', 'w'],
    ['/proc/sys/vm/swappiness', 'w'],
    ['/proc/sys/kernel/shmmax', ''],
    ['/proc/sys/kernel/sem', 'w'],
    ['/proc/sys/kernel/core_pattern', 'w'],
    ['/proc/sys/kernel/sched_rt_period_us', 'w'],
    ['/proc/sysrq-trigger', 'klrwx'],
    ['/proc/kcore', 'klrwx'],
    ['/sys/class/net/eth0/mtu', 'klwx'],
    ['/sys/fs/cgroup/memory/tasks', ''],
    ['/sys/fs/bpf/map', 'klwx'],
    ['/sys/fs/cgrow/x', 'klwx'],
    ['/sys/firmware/dmi/tables', 'klrwx'],
    ['/sys/devices/virtual/powercap/a', 'klrwx'],
    ['/sys/kernel/security/apparmor/profiles', 'klrwx'],
    ['/etc/passwd', ''],
  ])('denies %s: %j', (path, access) => {
    expect(denied(defaultApparmorProfile(bare), path)).toBe(access);
  });
});

/** The letters of access that a profile's deny rules take from a path. */
function denied(profile: string, path: string): string {
  const rules = [...profile.matchAll(/^deny ([/@]\S+) ([a-z]+),$/gm)];
  const letters = rules.flatMap(([, glob = '', access = '']) =>
    regex(glob).test(path) ? access.split('') : [],
  );
  return [...new Set(letters)].toSorted().join('');
}

/** apparmor.d(5), "Globbing", as far as the profile uses it. */
function regex(glob: string): RegExp {
  const source = glob
    .replace('@{PROC}', '/proc')
    .replaceAll(/\*\*|\*|\?/g, (word) => ({ '**': '.*', '*': '[^/]*', '?': '[^/]' })[word] ?? '');
  return new RegExp(`^${source}$`);
}
