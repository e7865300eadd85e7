import { describe, expect, test } from 'vitest';
import { defaultSeccomp } from './default-profile.ts';
import { DEFAULT_RULES } from './default-rules.ts';
import { effectOf } from './effect.ts';
import type { ProfileTerms } from './terms.ts';

function profile(capabilities: string[] = [], over: Partial<ProfileTerms> = {}) {
  const held = capabilities.map((name) => `CAP_${name}`);
  return defaultSeccomp({ capabilities: held, arch: 'x64', kernel: '6.1.0-18-amd64', ...over });
}

const NEW_USER_NAMESPACE = 0x1000_0000n;
const FORK = 0x0120_0011n;

/** Each capability, and what it opens that is closed without it. */
const OPENED: [capability: string, calls: string][] = [
  [
    'SYS_ADMIN',
    'bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
  ],
  ['BPF', 'bpf'],
  ['DAC_READ_SEARCH', 'open_by_handle_at'],
  ['PERFMON', 'perf_event_open'],
  ['SYSLOG', 'syslog'],
  ['SYS_BOOT', 'reboot'],
  ['SYS_CHROOT', 'chroot'],
  ['SYS_MODULE', 'delete_module finit_module init_module'],
  ['SYS_NICE', 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node'],
  ['SYS_PACCT', 'acct'],
  ['SYS_PTRACE', 'kcmp pidfd_getfd process_madvise'],
  ['SYS_RAWIO', 'ioperm iopl'],
  ['SYS_TIME', 'clock_settime clock_settime64 settimeofday stime'],
  ['SYS_TTY_CONFIG', 'vhangup'],
];

describe('the default profile', () => {
  test('refuses what it does not name, with EPERM', () => {
    expect(profile().defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(profile().defaultErrnoRet).toBeUndefined();
    for (const name of 'add_key keyctl request_key kexec_load io_uring_setup userfaultfd swapon nfsservctl'.split(
      ' ',
    )) {
      expect(effectOf(profile(['SYS_ADMIN']), name), name).toBe('default');
    }
  });

  test.each(OPENED)('CAP_%s opens %s', (capability, calls) => {
    for (const name of calls.split(' ')) {
      expect(effectOf(profile(), name), name).toBe(name === 'clone3' ? 'ERRNO 38' : 'default');
      expect(effectOf(profile([capability]), name), name).toBe('ALLOW');
    }
  });

  test('the table of this test names every rule that a capability decides on', () => {
    const ruled = DEFAULT_RULES.flatMap(({ capability }) =>
      capability === undefined ? [] : [capability.slice(4)],
    );
    expect(OPENED.map(([name]) => name).toSorted()).toEqual([...new Set(ruled)].toSorted());
  });

  test('no capability closes what is open without it, but for the way round clone3', () => {
    const open = profile()
      .syscalls.flatMap(({ names, args }) => (args ? [] : names))
      .filter((name) => name !== 'clone3');
    for (const [capability] of OPENED) {
      for (const name of open)
        expect(effectOf(profile([capability]), name), `${capability} ${name}`).toBe('ALLOW');
    }
  });

  test.each([
    ['4.7.10', 'default'],
    ['4.8.0', 'ALLOW'],
    ['6.18.44-fc', 'ALLOW'],
    ['a name', 'ALLOW'],
  ])('on Linux %s ptrace without its capability: %s', (kernel, expected) => {
    for (const name of ['ptrace', 'process_vm_readv', 'process_vm_writev']) {
      expect(effectOf(profile([], { kernel }), name)).toBe(expected);
      expect(effectOf(profile(['SYS_PTRACE'], { kernel }), name)).toBe('ALLOW');
    }
  });

  test.each([
    [
      'x64',
      ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
      ['arch_prctl', 'modify_ldt'],
      ['set_tls'],
    ],
    ['arm64', ['SCMP_ARCH_ARM', 'SCMP_ARCH_AARCH64'], ['set_tls', 'breakpoint'], ['arch_prctl']],
    ['s390x', ['SCMP_ARCH_S390', 'SCMP_ARCH_S390X'], ['s390_runtime_instr'], ['modify_ldt']],
    ['riscv64', ['SCMP_ARCH_RISCV64'], ['riscv_flush_icache'], ['set_tls']],
    ['loong64', ['SCMP_ARCH_LOONGARCH64'], [], ['set_tls']],
    ['ppc64', [], ['swapcontext'], ['set_tls']],
  ])('on %s', (arch, architectures, open, closed) => {
    const made = profile([], { arch });
    expect(made.architectures).toEqual(architectures);
    for (const name of open) expect(effectOf(made, name)).toBe('ALLOW');
    for (const name of closed) expect(effectOf(made, name)).toBe('default');
  });

  test.each<[call: string, args: bigint[], capabilities: string[], expected: string]>([
    ['clone', [FORK], [], 'ALLOW'],
    ['clone', [FORK | NEW_USER_NAMESPACE], [], 'default'],
    ['clone', [FORK | NEW_USER_NAMESPACE], ['SYS_ADMIN'], 'ALLOW'],
    ...[0x2_0000n, 0x200_0000n, 0x400_0000n, 0x800_0000n, 0x2000_0000n, 0x4000_0000n].map(
      (flag): [string, bigint[], string[], string] => ['clone', [flag], [], 'default'],
    ),
    ['personality', [0n], [], 'ALLOW'],
    ['personality', [8n], [], 'ALLOW'],
    ['personality', [0x2_0008n], [], 'ALLOW'],
    ['personality', [0xffff_ffffn], [], 'ALLOW'],
    ['personality', [0x40_0000n], ['SYS_ADMIN'], 'default'],
    ['socket', [1n], [], 'ALLOW'],
    ['socket', [37n], [], 'ALLOW'],
    ['socket', [38n], ['SYS_ADMIN', 'NET_ADMIN'], 'default'],
    ['socket', [39n], [], 'ALLOW'],
    ['socket', [40n], ['SYS_ADMIN'], 'default'],
    ['socket', [45n], [], 'ALLOW'],
    ['socket', [46n], [], 'default'],
    ['socket', [0x1_0000_0026n], [], 'default'],
    ['socket', [-1n], [], 'default'],
  ])('%s with %o and %o: %s', (call, args, capabilities, expected) => {
    expect(effectOf(profile(capabilities), call, args)).toBe(expected);
  });

  test('on s390x the flags of clone are its second argument', () => {
    const made = profile([], { arch: 's390x' });
    expect(effectOf(made, 'clone', [NEW_USER_NAMESPACE, FORK])).toBe('ALLOW');
    expect(effectOf(made, 'clone', [0n, NEW_USER_NAMESPACE])).toBe('default');
  });

  test('is made once for all that do not differ in what matters, and nobody can change it', () => {
    const made = profile(['CHOWN', 'SYS_CHROOT']);
    expect(profile(['SYS_CHROOT', 'KILL'])).toBe(made);
    expect(profile(['SYS_TIME'])).not.toBe(made);
    expect(() => made.syscalls[0]?.names.push('reboot')).toThrow(TypeError);
  });
});
