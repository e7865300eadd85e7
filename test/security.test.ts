import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { staticProgram } from '../src/sandbox/pause-program.ts';
import type { ContainerConfig, FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld, failure, SLEEPER } from './faults/world.ts';
import { outputOf } from './fixtures/outputs.ts';
import type { ContainerdVersion } from './fixtures/tools.ts';

/** What a process is told about its own filter, and whether it may make a user namespace and change a mode. */
const PROBE = [
  'sh',
  '-c',
  'grep ^Seccomp: /proc/self/status; unshare -U true && echo unshared; touch /f && chmod 600 /f && echo changed',
];

const EPERM = 1;

const NO_FILTER = 'Seccomp:\t0\n';
const FILTER = 'Seccomp:\t2\n';

describe.each<ContainerdVersion>(['1.6', '2.3'])('security on containerd %s', (version) => {
  let world: FaultWorld;
  let pod: PodConfig;
  let podId: string;
  let count = 0;

  beforeAll(async () => {
    world = await createFaultWorld(version);
    pod = podWith('main', { privileged: true });
    podId = await world.runPod(pod);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  const podWith = (name: string, securityContext: object): PodConfig =>
    world.pod(name, { linux: { securityContext } });
  const withSecurity = (securityContext: object, command = SLEEPER): ContainerConfig =>
    world.container(`c${count++}`, command, { linux: { securityContext } });

  const statusOf = async ({ metadata }: ContainerConfig) => {
    const { containers } = await world.cri.runtime.listContainers({ filter: { podSandboxId: podId } });
    const id = containers.find((one) => one.metadata?.name === metadata.name)?.id ?? '';
    const { status } = await world.cri.runtime.containerStatus({ containerId: id });
    if (!status) throw new Error(`no status of ${metadata.name}`);
    return status;
  };
  const output = async (securityContext: object, command: string[]) =>
    await outputOf(world, { podId, pod }, withSecurity(securityContext, command));
  const refused = async (securityContext: object) =>
    await failure(world.createContainer(podId, pod, withSecurity(securityContext)));

  describe('seccomp', () => {
    let localhost: string;

    beforeAll(() => {
      localhost = join(world.logs, 'no-chmod.json');
      const syscalls = [{ names: ['chmod', 'fchmod', 'fchmodat'], action: 'SCMP_ACT_ERRNO' }];
      writeFileSync(localhost, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }));
      writeFileSync(join(world.logs, 'broken.json'), '{"defaultAction": "SCMP_ACT_MAYBE"}');
    });

    test.each([
      ['RuntimeDefault', { seccomp: { profileType: 'RuntimeDefault' } }],
      ['the word runtime/default', { seccompProfilePath: 'runtime/default' }],
    ])('%s stops what reaches beyond a container', async (_, security) => {
      const text = await output(security, PROBE);
      expect(text).toContain(FILTER);
      expect(text).toMatch(/unshare.*not permitted/i);
      expect(text).toContain('changed\n');
      expect(text).not.toContain('unshared');
    });

    test('the default profile follows the capabilities', async () => {
      const security = {
        seccomp: { profileType: 'RuntimeDefault' },
        capabilities: { addCapabilities: ['SYS_ADMIN'] },
      };
      expect(await output(security, PROBE)).toBe(`${FILTER}unshared\nchanged\n`);
    });

    test.each([
      ['Localhost', () => ({ seccomp: { profileType: 'Localhost', localhostRef: localhost } })],
      ['the word localhost/', () => ({ seccompProfilePath: `localhost/${localhost}` })],
    ])('%s does what its file says', async (_, security) => {
      const text = await output(security(), PROBE);
      expect(text).toContain(FILTER);
      expect(text).toContain('unshared\n');
      expect(text).toMatch(/chmod.*not permitted/i);
    });

    test.each([
      ['Unconfined', { seccomp: { profileType: 'Unconfined' } }],
      ['no profile', {}],
      ['privileged', { privileged: true, seccomp: { profileType: 'RuntimeDefault' } }],
    ])('%s filters nothing', async (_, security) => {
      expect(await output(security, PROBE)).toBe(`${NO_FILTER}unshared\nchanged\n`);
    });

    test.skipIf(process.arch !== 'x64').each<[string, call: number[], errno: number, withAdmin: number]>([
      ["a socket of the kernel's crypto", [41, 38, 5], EPERM, EPERM],
      ['a socket to the hypervisor', [41, 40, 1], EPERM, EPERM],
      ['a unix socket', [41, 1, 1], 0, 0],
      ['clone3, which answers as if it were not there', [435, 0, 0], 38, 22],
      ['a user namespace', [272, 0x1000_0000], EPERM, 0],
      ['no address randomisation', [135, 0x4_0000], EPERM, EPERM],
      ['the question for the personality', [135, 0xffff_ffff], 0, 0],
      ['the keyring', [250, 0, 0], EPERM, EPERM],
      ['io_uring', [425, 1, 0], EPERM, EPERM],
    ])('%s under the default profile', async (name, call, errno, withAdmin) => {
      const dir = join(world.logs, `call-${name}`);
      mkdirSync(dir);
      writeFileSync(join(dir, 'call'), systemCall(call), { mode: 0o755 });
      const exitCode = async (security: object) => {
        const mounts = [{ hostPath: dir, containerPath: '/probe' }];
        const config = { ...withSecurity(security, ['/probe/call']), mounts };
        await outputOf(world, { podId, pod }, config);
        return (await statusOf(config)).exitCode;
      };
      const seccomp = { profileType: 'RuntimeDefault' };
      expect(await exitCode({ seccomp })).toBe(errno);
      expect(await exitCode({ seccomp, capabilities: { addCapabilities: ['SYS_ADMIN'] } })).toBe(withAdmin);
      if (withAdmin === EPERM) expect(await exitCode({})).not.toBe(EPERM);
    });

    test('an exec is filtered as its container is', async () => {
      const security = { seccomp: { profileType: 'RuntimeDefault' } };
      const id = await world.createContainer(podId, pod, withSecurity(security));
      await world.cri.runtime.startContainer({ containerId: id });
      const { stdout } = await world.cri.runtime.execSync({ containerId: id, cmd: PROBE, timeout: 10 });
      expect(String(stdout)).toContain(FILTER);
      expect(String(stdout)).not.toContain('unshared');
    });

    test.each([
      [
        'a file that is not there',
        '/no/such.json',
        'FAILED_PRECONDITION',
        /read seccomp profile .*no such file/,
      ],
      ['a directory', '/', 'FAILED_PRECONDITION', /no regular file/],
      ['a path that is not whole', 'x.json', 'INVALID_ARGUMENT', /not absolute/],
    ])('%s is refused, and nothing stays', async (_, localhostRef, code, message) => {
      const before = await world.state();
      const error = await refused({ seccomp: { profileType: 'Localhost', localhostRef } });
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(await world.left(before)).toEqual([]);
    });

    test('a profile that cannot be understood is refused by what is wrong in it', async () => {
      const localhostRef = join(world.logs, 'broken.json');
      const error = await refused({ seccomp: { profileType: 'Localhost', localhostRef } });
      expect(error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/SCMP_ACT_MAYBE/),
      });
    });

    test.each([
      ['the default profile unless told', {}, '2'],
      ['none when the pod says so', { seccomp: { profileType: 'Unconfined' } }, '0'],
    ])('the pause container has %s', async (_, securityContext, mode) => {
      const id = await world.runPod(podWith(`paused-${count++}`, securityContext), 'paused');
      const { info } = await world.cri.runtime.podSandboxStatus({ podSandboxId: id, verbose: true });
      const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toContain(`Seccomp:\t${mode}\n`);
    });
  });

  test('a privileged container needs a privileged pod', async () => {
    const plain = podWith('plain', {});
    const plainId = await world.runPod(plain);
    const error = await failure(world.createContainer(plainId, plain, withSecurity({ privileged: true })));
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/not privileged/),
    });
  });

  test.each(['network', 'ipc', 'pid'])(
    'the %s namespace of the host needs a pod that has it',
    async (kind) => {
      const plain = podWith(`own-${kind}`, { namespaceOptions: { pid: 'CONTAINER' } });
      const plainId = await world.runPod(plain);
      const wish = withSecurity({ namespaceOptions: { pid: 'CONTAINER', [kind]: 'NODE' } });
      const error = await failure(world.createContainer(plainId, plain, wish));
      expect(error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(`the ${kind} namespace of the host`),
      });
    },
  );

  test.each<[string, object, string]>([
    ['Merge', {}, '2000 50 3000'],
    ['Strict', { supplementalGroupsPolicy: 'Strict' }, '2000 3000'],
  ])('supplemental groups, %s: as told and as reported', async (_, policy, groups) => {
    const security = {
      runAsUser: { value: 1000 },
      runAsGroup: { value: 2000 },
      supplementalGroups: [3000],
      ...policy,
    };
    const config = withSecurity(security, ['sh', '-c', 'id -u; id -g; id -G']);
    const text = await outputOf(world, { podId, pod }, config);
    const [uid, gid, ...all] = text.trim().split(/\s+/);
    expect([uid, gid, sorted(all)]).toEqual(['1000', '2000', sorted(groups.split(' '))]);
    const { user } = await statusOf(config);
    expect(user?.linux).toMatchObject({ uid: '1000', gid: '2000' });
    expect(sorted(user?.linux?.supplementalGroups ?? [])).toEqual(sorted(groups.split(' ')));
  });

  test.each<[string, object, string]>([
    ['the user of the image', {}, '0 0'],
    ['a user by name', { runAsUsername: 'app' }, '1000 1000'],
    ['a user by name, with a group', { runAsUsername: 'app', runAsGroup: { value: 7 } }, '1000 7'],
    ['a user by number, with the group of the name', { runAsUser: { value: 65534 } }, '65534 65534'],
  ])('%s', async (_, security, ids) => {
    const config = withSecurity(security, ['sh', '-c', 'echo $(id -u) $(id -g)']);
    expect(await outputOf(world, { podId, pod }, config)).toBe(`${ids}\n`);
    const [uid, gid] = ids.split(' ');
    expect((await statusOf(config)).user?.linux).toMatchObject({ uid, gid });
  });

  test.each<[string, object]>([
    ['a group without a user', { runAsGroup: { value: 7 } }],
    ['a user that the image does not know', { runAsUsername: 'ghost' }],
    ['a capability that no kernel has', { capabilities: { addCapabilities: ['FLY'] } }],
  ])('%s is refused', async (_, security) => {
    expect(await refused(security)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test.each<[string, object, RegExp]>([
    [
      'as they are by default',
      {},
      /^CapInh:\t0+\nCapPrm:\t0*a80425fb\nCapEff:\t0*a80425fb\nCapBnd:\t0*a80425fb\nCapAmb:\t0+\n/,
    ],
    [
      'none, and one more',
      { capabilities: { dropCapabilities: ['ALL'], addCapabilities: ['NET_ADMIN'] } },
      /CapEff:\t0*1000\nCapBnd:\t0*1000\nCapAmb:\t0+\n/,
    ],
    [
      'ambient for a user that is not root',
      {
        runAsUser: { value: 9 },
        capabilities: { dropCapabilities: ['ALL'], addAmbientCapabilities: ['CAP_NET_BIND_SERVICE'] },
      },
      /CapInh:\t0*400\nCapPrm:\t0*400\nCapEff:\t0*400\nCapBnd:\t0*400\nCapAmb:\t0*400\n/,
    ],
    ['and no new ones', { noNewPrivs: true }, /NoNewPrivs:\t1\n/],
    ['and new ones', { noNewPrivs: false }, /NoNewPrivs:\t0\n/],
  ])('capabilities: %s', async (_, security, expected) => {
    expect(await output(security, ['grep', '-E', '^(Cap|NoNewPrivs)', '/proc/self/status'])).toMatch(
      expected,
    );
  });

  test('masked and read-only paths: the defaults, and those of the config', async () => {
    const look = [
      'sh',
      '-c',
      'wc -c < /proc/timer_list; echo 1 2>&1 > /proc/sys/kernel/shmmni; touch /work/x 2>&1; ls /hidden | wc -l',
    ];
    const text = await output({}, look);
    expect(text).toMatch(/^0\n.*Read-only file system/);
    const masked = { maskedPaths: ['/etc'], readonlyPaths: ['/tmp'] };
    const own = await output(masked, ['sh', '-c', 'ls /etc; touch /tmp/x 2>&1; wc -c < /proc/timer_list']);
    expect(own).toMatch(/^touch: .*Read-only file system\n[1-9]\d*\n$/);
  });

  test('an AppArmor profile is refused where there is no AppArmor, but for unconfined', async () => {
    const error = await refused({ apparmor: { profileType: 'Localhost', localhostRef: 'mine' } });
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringMatching(/AppArmor/) });
    expect(await output({ apparmorProfile: 'unconfined' }, ['echo', 'fine'])).toBe('fine\n');
  });
});

/** Groups have no order. */
function sorted(groups: string[]): string[] {
  return groups.toSorted((a, b) => Number(a) - Number(b));
}

const bytes = (...values: number[]): Buffer => Buffer.from(values);
const word = (value: number): Buffer => Buffer.from(new Uint32Array([value]).buffer);

/** A program for x86-64 that makes one system call, and exits with its error number or 0. */
function systemCall([number = 0, first = 0, second = 0]: number[]): Buffer {
  // biome-ignore format: one instruction a line
  return staticProgram(62, Buffer.concat([
    bytes(0xb8), word(number), // mov eax, number
    bytes(0xbf), word(first), // mov edi, first
    bytes(0xbe), word(second), // mov esi, second
    bytes(0x31, 0xd2), // xor edx, edx
    bytes(0x0f, 0x05), // syscall
    bytes(0x85, 0xc0), // test eax, eax
    bytes(0x78, 0x02), // js past the next
    bytes(0x31, 0xc0), // xor eax, eax
    bytes(0xf7, 0xd8), // neg eax
    bytes(0x89, 0xc7), // mov edi, eax
    bytes(0xb8), word(60), // mov eax, exit
    bytes(0x0f, 0x05), // syscall
  ]));
}
