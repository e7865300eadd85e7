/** An ordinary process needs these at one time or another, and none of them reaches beyond its container. */
const EVERYBODY = {
  files: `
    access cachestat chdir chmod chown chown32 creat faccessat faccessat2 fanotify_mark fchdir fchmod fchmodat
    fchmodat2 fchown fchown32 fchownat fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat getcwd getdents
    getdents64 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lchown lchown32 link linkat listmount
    lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 readlink readlinkat
    rename renameat renameat2 rmdir stat stat64 statfs statfs64 statmount statx symlink symlinkat umask unlink
    unlinkat utime utimensat utimensat_time64 utimes`,
  attributes: `
    fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
    lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`,
  data: `
    _llseek close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl fcntl64
    fdatasync flock fsync ftruncate ftruncate64 io_cancel io_destroy io_getevents io_pgetevents
    io_pgetevents_time64 io_setup io_submit ioctl lseek pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev
    pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range syncfs tee truncate truncate64
    vmsplice write writev`,
  waiting: `
    _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old eventfd eventfd2 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake poll ppoll
    ppoll_time64 pselect6 pselect6_time64 select`,
  memory: `
    brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect
    mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
    remap_file_pages`,
  processes: `
    execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getpid getppid getrandom getrlimit
    getrusage gettid membarrier pidfd_open prctl prlimit64 rseq set_robust_list set_thread_area set_tid_address
    setrlimit sysinfo ugetrlimit uname uretprobe vfork wait4 waitid waitpid`,
  identity: `
    capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp
    getresgid getresgid32 getresuid getresuid32 getsid getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32
    setgid setgid32 setgroups setgroups32 setpgid setregid setregid32 setresgid setresgid32 setresuid setresuid32
    setreuid setreuid32 setsid setuid setuid32`,
  scheduling: `
    getpriority ioprio_get ioprio_set sched_get_priority_max sched_get_priority_min sched_getaffinity
    sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield setpriority`,
  signals: `
    alarm kill pause pidfd_send_signal restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd
    signalfd4 sigprocmask sigreturn tgkill tkill`,
  time: `
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times`,
  ipc: `
    ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
    mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt
    shmget`,
  sockets: `
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
    recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  sandboxing: `
    landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr seccomp`,
};

/** What is asked of an argument: to be one of the values, to be below one, or to have none of the bits of one. */
export type Condition = { oneOf: readonly number[] } | { below: number } | { without: number };

/** Calls that are let through where everything that the rule names is so. */
export interface Rule {
  calls: readonly string[];
  /** One of the container's bounding set. */
  capability?: string;
  /** The rule is for those who lack it. */
  unlessCapability?: string;
  /** Since this version of the kernel. */
  kernel?: readonly [major: number, minor: number];
  /** As `process.arch` says it. */
  architectures?: readonly string[];
  notArchitectures?: readonly string[];
  /** What the argument at this index has to be. */
  argument?: { index: number } & Condition;
  /** The call is refused with this error instead of let through. */
  errno?: number;
}

/** The flags of clone(2) that make namespaces: mount, cgroup, uts, ipc, user, pid, net. */
const CLONE_NAMESPACES =
  0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;

/** The error of a call that the kernel does not have. */
export const ENOSYS = 38;

/**
 * Socket families from AF_UNIX up to here may all be opened, and so may the later ones in the list. Left out are
 * AF_ALG (38), which is the kernel's crypto code and little else than attack surface, and AF_VSOCK (40), which
 * reaches the hypervisor past every network namespace.
 */
const FIRST_CLOSED_FAMILY = 38;
/** NFC, KCM, QIPCRTR, SMC, XDP, MCTP. */
const LATER_FAMILIES = [39, 41, 42, 43, 44, 45];

/** PER_LINUX, PER_LINUX32, with and without UNAME26, and the question which it is. */
const HARMLESS_PERSONALITIES = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/**
 * What the default profile lets through, each rule on its own; the rest fails with EPERM. It has the effect of the
 * profile that containerd 2.3 and moby give to containers, which Kubernetes calls RuntimeDefault.
 */
export const DEFAULT_RULES: readonly Rule[] = [
  ...Object.values(EVERYBODY).map((text) => ({ calls: words(text) })),
  { calls: ['socket'], argument: { index: 0, below: FIRST_CLOSED_FAMILY } },
  { calls: ['socket'], argument: { index: 0, oneOf: LATER_FAMILIES } },
  { calls: ['personality'], argument: { index: 0, oneOf: HARMLESS_PERSONALITIES } },
  // Before, a traced process could get around its own filter.
  { calls: words('process_vm_readv process_vm_writev ptrace'), kernel: [4, 8] },

  { calls: words('sync_file_range2 swapcontext'), architectures: ['ppc64'] },
  {
    calls: words('arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2'),
    architectures: ['arm', 'arm64'],
  },
  { calls: ['arch_prctl'], architectures: ['x64'] },
  { calls: ['modify_ldt'], architectures: ['x64', 'ia32'] },
  { calls: words('s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr'), architectures: ['s390x'] },
  { calls: words('riscv_flush_icache riscv_hwprobe'), architectures: ['riscv64'] },

  // A filter cannot see the flags of clone3, so whoever tries it is sent back to clone.
  { calls: ['clone3'], unlessCapability: 'CAP_SYS_ADMIN', errno: ENOSYS },
  {
    calls: ['clone'],
    unlessCapability: 'CAP_SYS_ADMIN',
    notArchitectures: ['s390x'],
    argument: { index: 0, without: CLONE_NAMESPACES },
  },
  {
    calls: ['clone'],
    unlessCapability: 'CAP_SYS_ADMIN',
    architectures: ['s390x'],
    argument: { index: 1, without: CLONE_NAMESPACES },
  },
  {
    calls: words(`
      bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
      open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare`),
    capability: 'CAP_SYS_ADMIN',
  },
  { calls: ['bpf'], capability: 'CAP_BPF' },
  { calls: ['open_by_handle_at'], capability: 'CAP_DAC_READ_SEARCH' },
  { calls: ['perf_event_open'], capability: 'CAP_PERFMON' },
  { calls: ['reboot'], capability: 'CAP_SYS_BOOT' },
  { calls: ['chroot'], capability: 'CAP_SYS_CHROOT' },
  { calls: words('delete_module finit_module init_module'), capability: 'CAP_SYS_MODULE' },
  { calls: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'), capability: 'CAP_SYS_NICE' },
  { calls: ['acct'], capability: 'CAP_SYS_PACCT' },
  {
    calls: words('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'),
    capability: 'CAP_SYS_PTRACE',
  },
  { calls: words('ioperm iopl'), capability: 'CAP_SYS_RAWIO' },
  { calls: words('clock_settime clock_settime64 settimeofday stime'), capability: 'CAP_SYS_TIME' },
  { calls: ['vhangup'], capability: 'CAP_SYS_TTY_CONFIG' },
  { calls: ['syslog'], capability: 'CAP_SYSLOG' },
];

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
