import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cgroupMode } from '../src/host/cgroup.ts';
import type { FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld } from './faults/world.ts';
import { outputOf } from './fixtures/outputs.ts';
import type { ContainerdVersion } from './fixtures/tools.ts';

const MIB = 1024 * 1024;

describe.each<ContainerdVersion>(['1.6', '2.3'])('resources and sysctls on containerd %s', (version) => {
  let world: FaultWorld;
  let pod: PodConfig;
  let podId: string;

  beforeAll(async () => {
    world = await createFaultWorld(version, { settings: ['tolerate_missing_hugetlb = false'] });
    pod = world.pod('main', {
      linux: { sysctls: { 'net.core.somaxconn': '99', 'kernel.shm_rmid_forced': '1' } },
    });
    ({ podId } = await world.runContainer(pod, world.container('keeper')));
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  const start = async (name: string, resources: object): Promise<string> => {
    const id = await world.createContainer(
      podId,
      pod,
      world.container(name, undefined, { linux: { resources } }),
    );
    await world.cri.runtime.startContainer({ containerId: id });
    return id;
  };

  test.skipIf(cgroupMode() === 'v2')(
    'limits are in the files of cgroup v1, below the parent of the pod, and an update changes only its own',
    async () => {
      const parent = (pod['linux'] as { cgroupParent: string }).cgroupParent;
      const id = await start('limits', {
        cpuShares: 300,
        cpuQuota: 20_000,
        cpuPeriod: 50_000,
        cpusetCpus: '0',
        cpusetMems: '0',
        memoryLimitInBytes: 64 * MIB,
        oomScoreAdj: 500,
      });
      const read = (controller: string, file: string): string =>
        readFileSync(`/sys/fs/cgroup/${controller}${parent}/${id}/${file}`, 'utf8').trim();
      const limits = () => ({
        shares: read('cpu', 'cpu.shares'),
        quota: read('cpu', 'cpu.cfs_quota_us'),
        period: read('cpu', 'cpu.cfs_period_us'),
        cpus: read('cpuset', 'cpuset.cpus'),
        mems: read('cpuset', 'cpuset.mems'),
        memory: read('memory', 'memory.limit_in_bytes'),
      });
      const before = {
        shares: '300',
        quota: '20000',
        period: '50000',
        cpus: '0',
        mems: '0',
        memory: String(64 * MIB),
      };
      expect(limits()).toEqual(before);
      if (existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes')) {
        expect(read('memory', 'memory.memsw.limit_in_bytes')).toBe(String(64 * MIB));
      }
      expect(
        readFileSync(`/proc/${read('memory', 'cgroup.procs').split('\n')[0]}/oom_score_adj`, 'utf8'),
      ).toBe('500\n');

      const linux = { cpuShares: 200, memoryLimitInBytes: 80 * MIB };
      await world.cri.runtime.updateContainerResources({ containerId: id, linux });
      expect(limits()).toEqual({ ...before, shares: '200', memory: String(80 * MIB) });
    },
  );

  test('an OOM score that we may not give is the lowest that we may', async () => {
    const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    const linux = { resources: { oomScoreAdj: -998 } };
    const printed = await outputOf(
      world,
      { podId, pod },
      world.container('oom', ['cat', '/proc/self/oom_score_adj'], { linux }),
    );
    expect([-998, own]).toContain(Number(printed));
  });

  test.each([
    [
      'files of cgroup v2 on v1',
      { linux: { resources: { unified: { 'memory.high': '1' } } } },
      /resources.unified needs cgroup v2/,
    ],
    [
      'huge pages of a size that nobody has',
      { linux: { resources: { hugepageLimits: [{ pageSize: '3MB', limit: 1 }] } } },
      /huge pages of 3MB/,
    ],
    ['an RDT class', { annotations: { 'io.kubernetes.cri.rdt-class': 'gold' } }, /RDT class "gold"/],
    [
      'a blockio class',
      { annotations: { 'io.kubernetes.cri.blockio-class': 'slow' } },
      /blockio class "slow"/,
    ],
  ])('%s are refused by their name', async (name, change, message) => {
    const asked = world.createContainer(
      podId,
      pod,
      world.container(name.replaceAll(/\W/g, '-'), ['true'], change),
    );
    if (name.includes('v2') && cgroupMode() === 'v2') await asked;
    else await expect(asked).rejects.toThrow(message);
  });

  test('sysctls are those of the pod, with the defaults for ports and pings', async () => {
    const show =
      'cd /proc/sys; cat net/core/somaxconn kernel/shm_rmid_forced net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range';
    const printed = await outputOf(world, { podId, pod }, world.container('sysctls', ['sh', '-c', show]));
    expect(printed).toBe('99\n1\n0\n0\t2147483647\n');
  });

  test.each([
    [
      'of the network on the host network',
      'net.core.somaxconn',
      { network: 'NODE' },
      /needs its own network namespace/,
    ],
    [
      'of IPC in the IPC namespace of the host',
      'kernel.shmmax',
      { ipc: 'NODE' },
      /needs its own ipc namespace/,
    ],
    ['of the whole machine', 'vm.swappiness', {}, /vm.swappiness is not namespaced/],
  ] as const)('a sysctl %s is refused', async (name, key, namespaceOptions, message) => {
    const linux = { sysctls: { [key]: '1' }, securityContext: { namespaceOptions } };
    const asked = world.runPod(world.pod(name.replaceAll(' ', '-'), { linux }));
    await expect(asked).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message) as string,
    });
  });

  test('a pod on the host network leaves the ports of the host as they are', async () => {
    const file = '/proc/sys/net/ipv4/ip_unprivileged_port_start';
    const before = readFileSync(file, 'utf8');
    const linux = { securityContext: { namespaceOptions: { network: 'NODE' } } };
    await world.runPod(world.pod('hostly', { linux }));
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});
