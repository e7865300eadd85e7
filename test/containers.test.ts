import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerConfig, FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld, SLEEPER } from './faults/world.ts';
import { logText } from './fixtures/outputs.ts';
import { eventually, processes } from './fixtures/processes.ts';
import type { ContainerdVersion } from './fixtures/tools.ts';

/** 64 MiB of numbered lines of 16 bytes with their newline. */
const LINES = 4 * 1024 * 1024;

/** Writes the file in pieces of 1 MiB, slowly enough for the log to be rotated meanwhile. */
const WRITE_SLOWLY =
  'for i in $(seq 0 63); do dd if=/in/lines bs=1M skip=$i count=1 2>/dev/null; sleep 0.04; done';

describe.each<ContainerdVersion>(['1.6', '2.3'])('containers on containerd %s', (version) => {
  let world: FaultWorld;
  let pod: PodConfig;
  let podId: string;

  beforeAll(async () => {
    world = await createFaultWorld(version);
    pod = world.pod('main');
    podId = await world.runPod(pod);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  const start = async (container: ContainerConfig, inPod = { podId, pod }): Promise<string> => {
    const id = await world.createContainer(inPod.podId, inPod.pod, container);
    await world.cri.runtime.startContainer({ containerId: id });
    return id;
  };
  const statusOf = async (id: string) => {
    const { status } = await world.cri.runtime.containerStatus({ containerId: id });
    if (!status) throw new Error(`no status of ${id}`);
    return status;
  };
  const exited = async (id: string) => {
    const done = await eventually(async () => (await statusOf(id)).state === 'CONTAINER_EXITED', 60_000);
    expect(done).toBe(true);
    return await statusOf(id);
  };
  /** Runs a command to its end and answers what it printed. */
  const output = async (name: string, command: string[], change: object = {}, inPod = { podId, pod }) => {
    const id = await start(world.container(name, command, change), inPod);
    await exited(id);
    return logText(join(inPod.pod.logDirectory, `${name}.log`));
  };
  const exec = async (id: string, cmd: string[], timeout = 10) => {
    const { stdout, stderr, exitCode } = await world.cri.runtime.execSync({ containerId: id, cmd, timeout });
    return { stdout: String(stdout), stderr: String(stderr), exitCode };
  };

  test.each([
    ['completed', ['true'], 0, 'Completed'],
    ['failed', ['sh', '-c', 'exit 3'], 3, 'Error'],
  ])('a container that %s says so', async (name, command, exitCode, reason) => {
    const id = await start(world.container(name, command));
    const status = await exited(id);
    expect(status).toMatchObject({ exitCode, reason });
    expect(BigInt(status.finishedAt)).toBeGreaterThan(BigInt(status.createdAt));
    expect(BigInt(status.startedAt)).toBeGreaterThan(BigInt(status.createdAt));
  });

  test('a container that the kernel killed for memory is OOMKilled', async () => {
    const linux = { resources: { memoryLimitInBytes: 16 * 1024 * 1024 } };
    const command = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'];
    const id = await start(world.container('hungry', command, { linux }));
    expect(await exited(id)).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  test('containers of a pod can run one right after the other, each the only one', async () => {
    const alone = world.pod('alone');
    const inAlone = { podId: await world.runPod(alone), pod: alone };
    for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) {
      expect(await output(name, ['echo', name], {}, inAlone)).toBe(`${name}\n`);
    }
  });

  test('a label that containerd cannot keep is refused by its key, of a container and of a pod', async () => {
    const labels = { 'too-long': 'x'.repeat(4096) };
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('too-long') as string };
    const asked = world.createContainer(podId, pod, world.container('labelled', ['true'], { labels }));
    await expect(asked).rejects.toMatchObject(refused);
    await expect(world.runPod(world.pod('labelled', { labels }))).rejects.toMatchObject(refused);
    const fitting = { note: 'x'.repeat(4000) };
    const annotations = { note: 'x'.repeat(100_000) };
    const id = await start(world.container('fits', ['true'], { labels: fitting, annotations }));
    expect(await statusOf(id)).toMatchObject({ labels: fitting, annotations });
  });

  test('a container that cannot start keeps the reason', async () => {
    const id = await world.createContainer(podId, pod, world.container('absent', ['/no/such/program']));
    await expect(world.cri.runtime.startContainer({ containerId: id })).rejects.toThrow(/no\/such\/program/);
    const status = await statusOf(id);
    expect(status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 128, reason: 'StartError' });
    expect(status.message).toContain('/no/such/program');
  });

  test('64 MiB of numbered lines reach the log, through two rotations and a restart of cristal', async () => {
    const log = join(pod.logDirectory, 'count.log');
    const input = join(world.logs, 'in');
    mkdirSync(input);
    const numbered = Array.from({ length: LINES }, (_, i) => `${String(i + 1).padStart(15, '0')}\n`);
    writeFileSync(join(input, 'lines'), numbered.join(''));
    const mounts = [{ hostPath: input, containerPath: '/in', readonly: true }];
    const id = await start(world.container('count', ['sh', '-c', WRITE_SLOWLY], { mounts }));
    const parts: string[] = [];
    for (const part of ['one', 'two']) {
      expect(await eventually(() => existsSync(log) && statSync(log).size > 4_000_000, 30_000)).toBe(true);
      renameSync(log, `${log}.${part}`);
      parts.push(`${log}.${part}`);
      await world.cri.runtime.reopenContainerLog({ containerId: id });
    }
    await world.cristal.restart();
    expect((await statusOf(id)).state).toBe('CONTAINER_RUNNING');
    await exited(id);
    let next = 1;
    let line = '';
    for (const file of [...parts, log]) {
      for (const entry of readFileSync(file, 'latin1').split('\n')) {
        if (entry === '') continue;
        const [, stream, tag, text] = entry.split(' ');
        line += text ?? '';
        // A restart may split a line in two; the reader of a log joins the parts.
        if (tag === 'P') continue;
        if (stream !== 'stdout' || Number(line) !== next || line.length !== 15) {
          expect.fail(`${file}: expected line ${next}, found "${entry}"`);
        }
        next += 1;
        line = '';
      }
    }
    expect(next - 1).toBe(LINES);
  }, 120_000);

  test('a terminal has one stream, and no stderr', async () => {
    const text = await output('tty', ['sh', '-c', 'tty; echo err >&2'], { tty: true });
    expect(text).toContain('/dev/');
    expect(text).toContain('err');
    expect(readFileSync(join(pod.logDirectory, 'tty.log'), 'utf8')).not.toContain(' stderr ');
  });

  describe('exec', () => {
    let id: string;

    beforeAll(async () => {
      id = await start(world.container('exec', SLEEPER));
    });

    test('keeps both outputs apart and tells the exit code', async () => {
      expect(await exec(id, ['sh', '-c', 'echo out; echo err >&2; exit 7'])).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        exitCode: 7,
      });
    });

    test('keeps 16 MiB of each stream, and does not wait for ever for more', async () => {
      const { stdout, exitCode } = await exec(id.slice(0, 12), ['sh', '-c', 'head -c 20000000 /dev/zero']);
      expect(exitCode).toBe(0);
      // A little less than 16 MiB, so that the answer with it is not larger than a message may be.
      expect(stdout.length).toBeGreaterThan(16 * 1024 * 1024 - 65_536);
      expect(stdout.length).toBeLessThanOrEqual(16 * 1024 * 1024);
    });

    test('a time-out ends the command and its children', async () => {
      const marker = `71${process.pid}`;
      const command = ['sh', '-c', `sh -c "sleep ${marker}; true" & sleep ${marker}; true`];
      await expect(exec(id, command, 1)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
      const gone = () => processes().every((process) => !process.command.includes(marker));
      expect(await eventually(gone, 5_000)).toBe(true);
    });

    test('a child that keeps the output open does not hold the answer', async () => {
      const { stdout } = await exec(id, ['sh', '-c', 'sleep 15 & echo done']);
      expect(stdout).toBe('done\n');
    });

    test('a command that is not there is an error', async () => {
      await expect(exec(id, ['/no/such'])).rejects.toThrow(/no\/such/);
    });
  });

  describe('what a pod shares', () => {
    test('its containers see one /dev/shm of 64 MiB and one IPC namespace', async () => {
      const one = await start(world.container('ipc-1', SLEEPER));
      const two = await start(world.container('ipc-2', SLEEPER));
      await exec(one, ['sh', '-c', 'echo hello > /dev/shm/note']);
      expect((await exec(two, ['cat', '/dev/shm/note'])).stdout).toBe('hello\n');
      expect((await exec(one, ['df', '-k', '/dev/shm'])).stdout).toMatch(/\s65536\s/);
      const ipc = async (id: string) => (await exec(id, ['readlink', '/proc/self/ns/ipc'])).stdout;
      expect(await ipc(one)).toBe(await ipc(two));
    });

    test('its pid namespace only when it asks for that, or for the one of a target', async () => {
      const shared = world.pod('shared-pids', {
        linux: { securityContext: { namespaceOptions: { pid: 'POD' } } },
      });
      const sharedId = await world.runPod(shared);
      const inShared = { podId: sharedId, pod: shared };
      expect(await output('ps', ['ps'], {}, inShared)).toMatch(/ 1 \S+\s+\/pause/);

      const target = await start(world.container('target', SLEEPER));
      const pids = { linux: { securityContext: { namespaceOptions: { pid: 'TARGET', targetId: target } } } };
      expect(await output('debug', ['ps'], pids)).toContain('sleep 3600');
      expect(await output('alone', ['ps'])).not.toContain('sleep 3600');

      const late = await world.createContainer(podId, pod, world.container('late', SLEEPER, pids));
      await world.cri.runtime.stopContainer({ containerId: target, timeout: 0 });
      await expect(world.cri.runtime.startContainer({ containerId: late })).rejects.toMatchObject({
        code: 'FAILED_PRECONDITION',
        message: expect.stringContaining(target),
      });
    });

    test('its DNS, its name and its sysctls', async () => {
      const own = world.pod('names', {
        hostname: 'names-host',
        dnsConfig: { servers: ['10.9.8.7'], searches: ['svc.test'], options: ['ndots:5'] },
        linux: { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80', 'kernel.shm_rmid_forced': '1' } },
      });
      const inPod = { podId: await world.runPod(own), pod: own };
      const text = await output(
        'look',
        [
          'sh',
          '-c',
          'cat /etc/resolv.conf /etc/hostname; hostname; echo $HOSTNAME; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced',
        ],
        {},
        inPod,
      );
      expect(text).toBe(
        'search svc.test\nnameserver 10.9.8.7\noptions ndots:5\nnames-host\nnames-host\nnames-host\n80\n1\n',
      );
    });

    test('a sysctl that belongs to the host is refused, and nothing stays', async () => {
      const before = await world.state();
      const bad = world.pod('bad-sysctl', { linux: { sysctls: { 'vm.swappiness': '1' } } });
      await expect(world.runPod(bad)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect(await world.left(before)).toEqual([]);
    });
  });

  describe('what a container gets', () => {
    const dir = mkdtempSync(join(tmpdir(), 'cristal-mounts-'));
    afterAll(() => rmSync(dir, { recursive: true }));

    test('mounts, read-only and not, also of a directory that is not there yet', async () => {
      mkdirSync(join(dir, 'ro'));
      writeFileSync(join(dir, 'ro', 'file'), 'from the host\n');
      const mounts = [
        { hostPath: join(dir, 'ro'), containerPath: '/ro', readonly: true },
        { hostPath: join(dir, 'made'), containerPath: '/rw' },
      ];
      const text = await output(
        'mounts',
        ['sh', '-c', 'cat /ro/file; touch /ro/x 2>/dev/null || echo refused; echo written > /rw/file'],
        { mounts },
      );
      expect(text).toBe('from the host\nrefused\n');
      expect(readFileSync(join(dir, 'made', 'file'), 'utf8')).toBe('written\n');
    });

    test('user, groups, environment and directory', async () => {
      const change = {
        envs: [{ key: 'GREETING', value: Buffer.from('hëllo') }],
        workingDir: '/work/there',
        linux: {
          securityContext: {
            runAsUser: { value: 1234 },
            runAsGroup: { value: 2345 },
            supplementalGroups: [77],
          },
        },
      };
      const id = await start(
        world.container('identity', ['sh', '-c', 'id -u; id -g; id -G; echo $GREETING; pwd'], change),
      );
      const { user } = await exited(id);
      expect(logText(join(pod.logDirectory, 'identity.log'))).toBe(
        '1234\n2345\n2345 77\nhëllo\n/work/there\n',
      );
      expect(user?.linux).toMatchObject({ uid: '1234', gid: '2345' });
    });

    test('a read-only root, or all privileges', async () => {
      const readonly = { linux: { securityContext: { readonlyRootfs: true } } };
      expect(await output('readonly', ['sh', '-c', 'touch /x 2>/dev/null || echo refused'], readonly)).toBe(
        'refused\n',
      );
      const privileged = { linux: { securityContext: { privileged: true } } };
      const trusted = world.pod('trusted', privileged);
      const text = await output(
        'privileged',
        ['sh', '-c', 'mount -t tmpfs t /mnt || mkdir /m && mount -t tmpfs t /m && echo mounted'],
        privileged,
        { podId: await world.runPod(trusted), pod: trusted },
      );
      expect(text).toContain('mounted');
    });

    test('limits, which can be changed while it runs', async () => {
      const resources = { memoryLimitInBytes: 64 << 20, cpuShares: 512 };
      const id = await start(world.container('limits', SLEEPER, { linux: { resources } }));
      await world.cri.runtime.updateContainerResources({
        containerId: id,
        linux: { memoryLimitInBytes: 128 << 20 },
      });
      const { resources: reported } = await statusOf(id);
      expect(reported?.linux).toMatchObject({ memoryLimitInBytes: String(128 << 20), cpuShares: '512' });
      const seen = await exec(id, [
        'cat',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes',
        '/sys/fs/cgroup/cpu/cpu.shares',
      ]);
      expect(seen.stdout).toBe(`${128 << 20}\n512\n`);
    });
  });

  test('stopping sends the stop signal once, and kills after the grace period', async () => {
    const polite = await start(
      world.container(
        'polite',
        ['sh', '-c', 'trap "echo got it; exit 4" USR1; while true; do sleep 0.1; done'],
        {
          stopSignal: 'SIGNAL_SIGUSR1',
        },
      ),
    );
    await sleep(300);
    await world.cri.runtime.stopContainer({ containerId: polite, timeout: 10 });
    expect(await statusOf(polite)).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 4 });

    const deaf = await start(
      world.container('deaf', ['sh', '-c', 'trap "echo term" TERM; while true; do sleep 0.1; done']),
    );
    await sleep(300);
    await Promise.all(
      [1, 2].map(async () => await world.cri.runtime.stopContainer({ containerId: deaf, timeout: 1 })),
    );
    expect(await statusOf(deaf)).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 137 });
    expect(logText(join(pod.logDirectory, 'deaf.log'))).toBe('term\n');
  });
});
