import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import type { LinuxPodSandboxConfig__Output as LinuxPodSandboxConfig } from '../gen/runtime/v1/LinuxPodSandboxConfig.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import type { CgroupReader } from '../host/cgroup/reader.ts';
import { container, sandbox } from '../rpc/fixtures.ts';
import { sandboxConfig } from '../spec/fixtures.ts';
import type { Container } from '../store/containers.ts';
import type { Sandbox } from '../store/sandboxes.ts';
import { createStats } from './collector.ts';
import { fullReading } from './fixtures.ts';
import { podCgroup } from './pod-cgroup.ts';

/** Of a pod that the kubelet gave a cgroup of its own. */
function configIn(cgroupParent: string): PodSandboxConfig {
  return sandboxConfig({ linux: { cgroupParent } as LinuxPodSandboxConfig });
}

const NET_DEV = 'eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n';

/** Cgroups that use as much processor time as the clock says, in which `gone` ones are not there. */
function createWorld({
  containers = [],
  sandboxes = [],
}: {
  containers?: Container[];
  sandboxes?: Sandbox[];
}) {
  const clock = { ms: 1_000_000 };
  const gone = new Set<string>();
  const read: string[] = [];
  const visits: string[][] = [];
  const thread = { answer: (paths: string[]): (string | null)[] => paths.map(() => NET_DEV) };
  const cpuTime = (dir: string): bigint | null => (gone.has(dir) ? null : BigInt(clock.ms) * 500_000n);
  const cgroups: CgroupReader = {
    usage(dir) {
      read.push(dir);
      const usageNs = cpuTime(dir);
      return usageNs === null ? null : { ...fullReading().usage, cpu: { usageNs, pressure: null } };
    },
    detail: () => null,
    cpuTime,
    threads: (dir) => (dir === '/k8s.io/c1' ? 3 : null),
    processes: () => [7, 8],
    tidy: () => {},
    [Symbol.dispose]: () => {},
  };
  const namespaces = {
    netDev: async (paths: string[]) => {
      visits.push(paths);
      return thread.answer(paths);
    },
  };
  const stats = createStats(
    {
      cgroups,
      namespaces,
      containers: { list: () => containers },
      sandboxes: { list: () => sandboxes },
      cgroupDriver: 'cgroupfs',
      paths: { sandboxState: (id) => `/state/${id}` },
      log: pino({ level: 'silent' }),
    },
    () => clock.ms,
  );
  onTestFinished(() => stats[Symbol.dispose]());
  return { clock, gone, read, visits, thread, stats };
}

test('calls of the same time share a reading, later ones do not', () => {
  const one = container();
  const { clock, read, stats } = createWorld({});
  const first = stats.container(one);
  clock.ms += 99;
  expect(stats.container(one)).toBe(first);
  clock.ms += 1;
  expect(stats.container(one)).not.toBe(first);
  expect(read).toEqual(['/k8s.io/c1', '/k8s.io/c1']);
});

test('what does not run, and what is gone, has no reading', () => {
  const { gone, read, stats } = createWorld({});
  expect(stats.container(container({ state: 'exited' }))).toBeNull();
  expect(stats.pod(sandbox({ state: 'notready', config: configIn('/p') }))).toBeNull();
  expect(stats.pod(sandbox())).toBeNull();
  expect(read).toEqual([]);
  gone.add('/k8s.io/c1');
  expect(stats.container(container())).toBeNull();
});

test('the first caller gets a rate over the time since the background sample', async () => {
  const one = container();
  const { clock, stats } = createWorld({ containers: [one] });
  await stats.sample();
  clock.ms += 4_000;
  expect(stats.container(one)?.nanoCores).toBe(500_000_000n);
});

test('what went between two samples is forgotten', async () => {
  const containers = [container()];
  const { clock, stats } = createWorld({ containers });
  await stats.sample();
  const [one] = containers.splice(0);
  clock.ms += 2_000;
  await stats.sample();
  clock.ms += 2_000;
  expect(one && stats.container(one)?.nanoCores).toBeNull();
});

test('threads are those that the kernel counts, or else processes', () => {
  const { stats } = createWorld({});
  expect(stats.threads(fullReading({ cgroup: '/k8s.io/c1' }))).toBe(3);
  expect(stats.threads(fullReading({ cgroup: '/other' }))).toBe(2);
});

test('one visit for all pods that have a network, shared by calls of the same time', async () => {
  const host = sandboxConfig({
    linux: { securityContext: { namespaceOptions: { network: 'NODE' } } } as LinuxPodSandboxConfig,
  });
  const pods = [
    sandbox(),
    sandbox({ id: 'pod2' }),
    sandbox({ id: 'host', config: host }),
    sandbox({ id: 'stopped', state: 'notready' }),
    sandbox({ id: 'vanished' }),
  ];
  const { clock, visits, thread, stats } = createWorld({});
  thread.answer = (paths) => paths.map((path) => (path.includes('vanished') ? null : NET_DEV));
  const [one, two] = await Promise.all([stats.networks(pods), stats.networks(pods.slice(0, 1))]);
  expect([...one.keys()]).toEqual(['pod1', 'pod2']);
  expect(one.get('pod1')?.interfaces).toMatchObject([{ name: 'eth0', rx: { bytes: 1 }, tx: { dropped: 8 } }]);
  expect([...two.keys()]).toEqual(['pod1']);
  expect(visits).toEqual([['/state/pod1/ns/net', '/state/pod2/ns/net', '/state/vanished/ns/net']]);
  clock.ms += 100;
  await stats.networks(pods.slice(0, 1));
  expect(visits).toHaveLength(2);
});

test('a thread that fails costs the networks alone', async () => {
  const { thread, stats } = createWorld({});
  thread.answer = () => {
    throw new Error('the thread ended');
  };
  expect((await stats.networks([sandbox(), sandbox({ id: 'pod2' })])).size).toBe(0);
});

test.each([
  ['cgroupfs', '', null],
  ['cgroupfs', '/kubepods/burstable/pod1', '/kubepods/burstable/pod1'],
  ['cgroupfs', 'kubepods/pod1/', '/kubepods/pod1'],
  [
    'systemd',
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice',
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice',
  ],
  ['systemd', 'kubepods-pod1.slice', '/kubepods.slice/kubepods-pod1.slice'],
  ['systemd', '/kubepods/pod1', null],
] as const)('with %s the cgroup of a pod with parent "%s" is %s', (driver, cgroupParent, expected) => {
  const config = configIn(cgroupParent);
  expect(podCgroup(sandbox({ config }), driver)).toBe(expected);
});
