import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

  const podWith = (name: string, securityContext: object): PodConfig => {
    const plain = world.pod(name);
    return { ...plain, linux: { ...(plain['linux'] as object), securityContext } };
  };
  const withSecurity = (securityContext: object, command = SLEEPER): ContainerConfig =>
    world.container(`c${count++}`, command, { linux: { securityContext } });

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

  test('an AppArmor profile is refused where there is no AppArmor, but for unconfined', async () => {
    const error = await refused({ apparmor: { profileType: 'Localhost', localhostRef: 'mine' } });
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringMatching(/AppArmor/) });
    expect(await output({ apparmorProfile: 'unconfined' }, ['echo', 'fine'])).toBe('fine\n');
  });
});
