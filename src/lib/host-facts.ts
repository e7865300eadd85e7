import type { KernelAbilities } from './runtime-abilities.ts';

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), with its octal escapes undone. */
export interface MountInfo {
  id: number;
  parentId: number;
  /** The device as "major:minor". */
  device: string;
  /** The directory of the filesystem that is the root of this mount. */
  root: string;
  mountPoint: string;
  options: string[];
  /** What subtree of mounts this one shares with, or follows: "shared:N" and "master:N" fields. */
  propagation: 'private' | 'shared' | 'slave' | 'unbindable';
  fsType: string;
  source: string;
  superOptions: string[];
}

/** A device node below the host's /dev. */
export interface HostDevice {
  path: string;
  type: 'c' | 'b';
  major: number;
  minor: number;
  /** Permission bits only. */
  mode: number;
  uid: number;
  gid: number;
}

/** The contexts that the machine's SELinux policy has for containers. */
export interface SelinuxContexts {
  process: string;
  file: string;
}

/** What the pure code has to know of the machine, read once by src/host/facts.ts. */
export interface HostFacts {
  cgroup: 'v1' | 'v2';
  /**
   * Options of v2's file system. There is one for all that are in the machine's cgroup namespace, so that each mount
   * of it has to repeat them, or the machine loses them.
   */
  cgroupOptions: readonly string[];
  /** Our own value: without CAP_SYS_RESOURCE no child can get a lower one. */
  oomScoreAdj: number;
  mayLowerOomScore: boolean;
  mounts: MountInfo[];
  /** Those that cgroups can limit, in the words of the OCI spec and the CRI: "2MB", "1GB". */
  hugepageSizes: string[];
  /** AppArmor is on. */
  apparmorInKernel: boolean;
  /** It is, and its parser is here to load profiles. */
  apparmor: boolean;
  /** Null without SELinux, and with a policy that knows no containers. */
  selinux: SelinuxContexts | null;
  /** The kernel takes system call filters. */
  seccomp: boolean;
  /** As uname(2) says it. */
  kernelRelease: string;
  /** As `process.arch` says it. */
  arch: string;
  /** Whether the kernel can account and limit swap per cgroup. */
  swap: boolean;
  /** Whether resctrl is mounted, by which classes of cache and memory bandwidth are given. */
  rdt: boolean;
  hostname: string;
  kernel: KernelAbilities;
}
