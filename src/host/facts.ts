import { hostname, release } from 'node:os';

import type { HostFacts, MountInfo } from '../lib/host-facts.ts';
import { APPARMOR_FS, APPARMOR_PARSER } from './apparmor.ts';
import { cgroupMode } from './cgroup.ts';
import { exists, listDir, readText } from './files.ts';
import { readMountInfo } from './mounts.ts';
import { readSelinuxContexts } from './selinux.ts';
import { hasMountAttributes } from './syscalls.ts';

const CAP_SYS_RESOURCE = 24n;

/** Reads all that the pure code has to know of this machine. Cheap enough to do per container. */
export async function readHostFacts(): Promise<HostFacts> {
  const [mounts, oomScore, status, hugepages, apparmor] = await Promise.all([
    readMountInfo(),
    readText('/proc/self/oom_score_adj'),
    readText('/proc/self/status'),
    listDir('/sys/kernel/mm/hugepages'),
    readText('/sys/module/apparmor/parameters/enabled'),
  ]);
  const cgroup = cgroupMode();
  const apparmorInKernel = apparmor?.trim() === 'Y' && (await exists(APPARMOR_FS));
  return {
    cgroup,
    cgroupOptions: cgroup === 'v2' ? cgroupOptions(mounts) : [],
    oomScoreAdj: Number(oomScore ?? 0),
    mayLowerOomScore: hasCapability(status ?? '', CAP_SYS_RESOURCE),
    mounts,
    hugepageSizes: (await limitsHugepages(cgroup, mounts)) ? hugepages.flatMap(hugepageSize) : [],
    apparmorInKernel,
    apparmor: apparmorInKernel && (await exists(APPARMOR_PARSER)),
    selinux: mounts.some(({ fsType }) => fsType === 'selinuxfs') ? await readSelinuxContexts() : null,
    seccomp: await exists('/proc/sys/kernel/seccomp/actions_avail'),
    kernelRelease: release(),
    arch: process.arch,
    rdt: mounts.some(({ fsType }) => fsType === 'resctrl'),
    swap: await countsSwap(cgroup, mounts),
    hostname: hostname(),
    kernel: { mountAttributes: hasMountAttributes(), userNamespaces: await hasUserNamespaces() },
  };
}

/** The file is only there when the kernel has them; a machine that wants none sets the limit to zero. */
async function hasUserNamespaces(): Promise<boolean> {
  return Number((await readText('/proc/sys/user/max_user_namespaces')) ?? 0) > 0;
}

/** Those of cgroups(7)'s v2 that a mount without them clears. */
const CGROUP_OPTIONS = new Set([
  'nsdelegate',
  'favordynmods',
  'memory_localevents',
  'memory_recursiveprot',
  'memory_hugetlb_accounting',
  'pids_localevents',
]);

/** Which of them the machine's own mount has. */
export function cgroupOptions(mounts: readonly Pick<MountInfo, 'fsType' | 'superOptions'>[]): string[] {
  const own = mounts.find(({ fsType }) => fsType === 'cgroup2');
  return (own?.superOptions ?? []).filter((option) => CGROUP_OPTIONS.has(option));
}

/** Whether the effective set in the text of /proc/PID/status has this capability number. */
export function hasCapability(status: string, capability: bigint): boolean {
  const set = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return set !== undefined && ((BigInt(`0x${set}`) >> capability) & 1n) === 1n;
}

/** "hugepages-2048kB" is "2MB", in the units of the kernel's cgroup files. Any other name is none. */
export function hugepageSize(name: string): string[] {
  const kib = /^hugepages-(\d+)kB$/.exec(name)?.[1];
  if (kib === undefined) return [];
  const units = ['KB', 'MB', 'GB'];
  let size = Number(kib);
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return [`${size}${units[unit]}`];
}

/** A controller that is mounted nowhere is listed by v2's root even on a hybrid machine, where containers use v1. */
async function limitsHugepages(cgroup: 'v1' | 'v2', mounts: MountInfo[]): Promise<boolean> {
  if (cgroup === 'v1') {
    return mounts.some(({ fsType, superOptions }) => fsType === 'cgroup' && superOptions.includes('hugetlb'));
  }
  return /\bhugetlb\b/.test((await readText('/sys/fs/cgroup/cgroup.controllers')) ?? '');
}

/** The root cgroup of v2 has no limits of its own, so one level below it is asked too. */
async function countsSwap(cgroup: 'v1' | 'v2', mounts: MountInfo[]): Promise<boolean> {
  if (cgroup === 'v1') {
    const memory = mounts.find(
      ({ fsType, superOptions }) => fsType === 'cgroup' && superOptions.includes('memory'),
    );
    return memory !== undefined && (await exists(`${memory.mountPoint}/memory.memsw.limit_in_bytes`));
  }
  const own = /^0::(\/.*)$/m.exec((await readText('/proc/self/cgroup')) ?? '')?.[1] ?? '';
  for (const dir of [own, ...(await listDir('/sys/fs/cgroup'))]) {
    if (await exists(`/sys/fs/cgroup/${dir}/memory.swap.max`)) return true;
  }
  return false;
}
