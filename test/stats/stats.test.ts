import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultWorld, PodConfig, Started } from '../faults/world.ts';
import { createFaultWorld, SLEEPER } from '../faults/world.ts';
import { eventually } from '../fixtures/processes.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';

const MIB = 1024 * 1024;

/** Uses processor, memory, disk and threads, and goes on sleeping. */
const BUSY = [
  'sh',
  '-c',
  'dd if=/dev/zero of=/written bs=1M count=20 2>/dev/null; mkdir /dir; ' +
    'i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done; sleep 3600 & exec sleep 3600',
];

describe.each<ContainerdVersion>(['1.6', '2.3'])('stats on containerd %s', (version) => {
  let world: FaultWorld;
  let pod: PodConfig;
  let busy: Started;
  let cgroup: string;

  beforeAll(async () => {
    world = await createFaultWorld(version);
    const parent = world.pod('any')['linux'] as { cgroupParent: string };
    cgroup = `${parent.cgroupParent}/pod-busy`;
    pod = world.pod('busy', {
      linux: { cgroupParent: cgroup },
      labels: { app: 'busy' },
      annotations: { note: 'n' },
    });
    const resources = {
      memoryLimitInBytes: 128 * MIB,
      cpuQuota: 200_000,
      cpuPeriod: 100_000,
      cpuShares: 512,
    };
    const config = world.container('main', BUSY, { labels: { role: 'main' }, linux: { resources } });
    busy = await world.runContainer(pod, config);
    const settled = await eventually(() => commands(cgroup, busy.id) === 'sleep sleep', 30_000);
    expect(settled).toBe(true);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  const statsOf = async (containerId: string) => {
    const { stats } = await world.cri.runtime.containerStats({ containerId });
    if (!stats) throw new Error(`no stats of ${containerId}`);
    return stats;
  };

  /** Of the runtime's own, which has many, there may be some for a moment after a start. */
  const threadsOf = async (podSandboxId: string): Promise<number> =>
    Number(
      (await world.cri.runtime.podSandboxStats({ podSandboxId })).stats?.linux?.process?.processCount?.value,
    );

  test('a container’s figures are those of its cgroup', async () => {
    const before = v1(cgroup, busy.id);
    const { attributes, cpu, memory, swap, io } = await statsOf(busy.id);
    const after = v1(cgroup, busy.id);
    expect(attributes).toMatchObject({
      id: busy.id,
      metadata: { name: 'main', attempt: 0 },
      labels: { role: 'main' },
    });
    const used = BigInt(cpu?.usageCoreNanoSeconds?.value ?? 0);
    expect(used).toBeGreaterThanOrEqual(before.cpuNs);
    expect(used).toBeLessThanOrEqual(after.cpuNs);
    expect(used).toBeGreaterThan(100_000_000n);
    expect(Math.abs(Number(cpu?.timestamp) / 1e6 - Date.now())).toBeLessThan(5_000);

    // It sleeps by now, so that its memory stands still but for what the kernel counts in batches.
    const near = (value: string | undefined, expected: number) =>
      expect(Math.abs(Number(value) - expected)).toBeLessThan(MIB);
    near(memory?.usageBytes?.value, before.usage);
    near(memory?.workingSetBytes?.value, before.usage - before.inactiveFile);
    near(memory?.rssBytes?.value, before.rss);
    near(memory?.availableBytes?.value, 128 * MIB - (before.usage - before.inactiveFile));
    expect(Number(memory?.usageBytes?.value)).toBeGreaterThan(10 * MIB); // the file's pages
    expect(Number(memory?.pageFaults?.value)).toBeGreaterThanOrEqual(before.pageFaults);
    expect(Number(memory?.majorPageFaults?.value)).toBeGreaterThanOrEqual(0);
    expect(swap?.swapUsageBytes?.value).toBe('0');
    expect(swap?.swapAvailableBytes?.value).toBe('0'); // the limit of memory and swap is that of memory
    expect(io).toBeNull(); // v1 knows no pressure
  });

  test('memory that a process holds is counted', async () => {
    const hold = ['sh', '-c', 'exec dd if=/dev/zero of=/dev/null bs=48M'];
    const { id } = await world.runContainer(pod2(world, `${cgroup}-hold`), world.container('hold', hold));
    const grown = await eventually(
      async () => Number((await statsOf(id)).memory?.rssBytes?.value) > 47 * MIB,
      20_000,
    );
    expect(grown).toBe(true);
    const rate = async () => Number((await statsOf(id)).cpu?.usageNanoCores?.value ?? -1);
    expect(await eventually(async () => (await rate()) > 2e8, 20_000)).toBe(true);
    await world.cri.runtime.stopContainer({ containerId: id, timeout: 0 });
  });

  test('the writable layer is what was written', async () => {
    const written = await eventually(async () => {
      const { writableLayer } = await statsOf(busy.id);
      return Number(writableLayer?.usedBytes?.value) >= 20 * MIB;
    }, 40_000);
    expect(written).toBe(true);
    const { writableLayer } = await statsOf(busy.id);
    expect(Number(writableLayer?.usedBytes?.value)).toBeLessThan(22 * MIB);
    expect(Number(writableLayer?.inodesUsed?.value)).toBeGreaterThanOrEqual(3);
    expect(existsSync(writableLayer?.fsId?.mountpoint ?? '')).toBe(true);
  });

  test('nano cores follow what was used between two calls', async () => {
    const burn = ['sh', '-c', 'while true; do :; done'];
    const { id } = await world.runContainer(pod2(world, `${cgroup}-burn`), world.container('burn', burn));
    const first = await statsOf(id);
    await sleep(2_000);
    const second = await statsOf(id);
    const elapsed = BigInt(second.cpu?.timestamp ?? 0) - BigInt(first.cpu?.timestamp ?? 0);
    const used =
      BigInt(second.cpu?.usageCoreNanoSeconds?.value ?? 0) -
      BigInt(first.cpu?.usageCoreNanoSeconds?.value ?? 0);
    const expected = (Number(used) / Number(elapsed)) * 1e9;
    // The window begins with the newest sample that is old enough, which may be the collector's own.
    expect(Number(second.cpu?.usageNanoCores?.value) / expected).toBeGreaterThan(0.5);
    expect(Number(second.cpu?.usageNanoCores?.value) / expected).toBeLessThan(2);
    await world.cri.runtime.stopContainer({ containerId: id, timeout: 0 });
  });

  test('a pod’s figures are those of its own cgroup and network', async () => {
    const { stats } = await world.cri.runtime.podSandboxStats({ podSandboxId: busy.podId });
    expect(stats?.attributes).toMatchObject({
      id: busy.podId,
      labels: { app: 'busy' },
      annotations: { note: 'n' },
    });
    const linux = stats?.linux;
    const own = v1(cgroup, '');
    expect(BigInt(linux?.cpu?.usageCoreNanoSeconds?.value ?? 0)).toBeLessThanOrEqual(own.cpuNs);
    expect(BigInt(linux?.cpu?.usageCoreNanoSeconds?.value ?? 0)).toBeGreaterThan(100_000_000n);
    expect(Math.abs(Number(linux?.memory?.usageBytes?.value) - own.usage)).toBeLessThan(MIB);
    expect(linux?.process?.processCount?.value).toBe('2');
    expect(linux?.containers.map(({ attributes }) => attributes?.id ?? '')).toEqual([busy.id]);
    expect(stats?.windows).toBeNull();
  });

  test('traffic is counted inside the pod', async () => {
    const pid = processesOf(cgroup, busy.id)[0] ?? 0;
    const network = async () =>
      (await world.cri.runtime.podSandboxStats({ podSandboxId: busy.podId })).stats?.linux?.network;
    const before = await network();
    expect(before?.defaultInterface?.name).toBe('eth0');
    expect(before?.interfaces).toEqual([]);
    // Nobody answers, and the questions are traffic all the same.
    const cmd = ['sh', '-c', 'ping -c 2 -W 1 -s 1000 10.255.255.1; true'];
    await world.cri.runtime.execSync({ containerId: busy.id, cmd, timeout: 60 });
    await sleep(150);
    const after = await network();
    const inside = netDev(pid, 'eth0');
    expect(Number(after?.defaultInterface?.txBytes?.value)).toBeLessThanOrEqual(inside.txBytes);
    expect(inside.txBytes - Number(after?.defaultInterface?.txBytes?.value)).toBeLessThan(2_000);
    expect(Number(after?.defaultInterface?.txBytes?.value)).toBeGreaterThan(
      Number(before?.defaultInterface?.txBytes?.value),
    );
  });

  test('filters choose by id, by pod and by label', async () => {
    const other = await world.runContainer(pod2(world, `${cgroup}-other`), world.container('other', SLEEPER));
    const ids = async (filter: object) =>
      (await world.cri.runtime.listContainerStats({ filter })).stats.map(
        ({ attributes }) => attributes?.id ?? '',
      );
    expect(await ids({})).toEqual(expect.arrayContaining([busy.id, other.id]));
    expect(await ids({ id: busy.id.slice(0, 12) })).toEqual([busy.id]);
    expect(await ids({ podSandboxId: other.podId })).toEqual([other.id]);
    expect(await ids({ labelSelector: { role: 'main' } })).toEqual([busy.id]);
    expect(await ids({ labelSelector: { role: 'none' } })).toEqual([]);
    expect(await ids({ id: 'nobody' })).toEqual([]);
    const pods = async (filter: object) =>
      (await world.cri.runtime.listPodSandboxStats({ filter })).stats.map(
        ({ attributes }) => attributes?.id ?? '',
      );
    expect(await pods({ id: busy.podId })).toEqual([busy.podId]);
    expect(await pods({ labelSelector: { app: 'busy' } })).toEqual([busy.podId]);
    expect((await pods({})).toSorted()).toEqual((await world.podIds()).toSorted());

    const streamed = [];
    for await (const { containerStats } of world.cri.streams.streamContainerStats({}))
      streamed.push(...containerStats);
    expect(streamed.map(({ attributes }) => attributes?.id ?? '').toSorted()).toEqual(
      (await ids({})).toSorted(),
    );
    const streamedPods = [];
    for await (const { podSandboxStats } of world.cri.streams.streamPodSandboxStats({})) {
      streamedPods.push(...podSandboxStats);
    }
    expect(streamedPods.map(({ attributes }) => attributes?.id ?? '').toSorted()).toEqual(
      (await pods({})).toSorted(),
    );
    await world.cri.runtime.removePodSandbox({ podSandboxId: other.podId });
  });

  test('what does not run is not listed, and says so when it is asked for', async () => {
    const { id, podId } = await world.runContainer(
      pod2(world, `${cgroup}-short`),
      world.container('short', ['true']),
    );
    expect(
      await eventually(async () => (await world.containerState(id)) === 'CONTAINER_EXITED', 10_000),
    ).toBe(true);
    await expect(world.cri.runtime.containerStats({ containerId: id })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    expect((await world.cri.runtime.listContainerStats({ filter: { id } })).stats).toEqual([]);
    await world.cri.runtime.stopPodSandbox({ podSandboxId: podId });
    await expect(world.cri.runtime.podSandboxStats({ podSandboxId: podId })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    expect((await world.cri.runtime.listPodSandboxStats({ filter: { id: podId } })).stats).toEqual([]);
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
    for (const missing of [
      world.cri.runtime.containerStats({ containerId: 'nobody' }),
      world.cri.runtime.podSandboxStats({ podSandboxId: 'nobody' }),
    ]) {
      await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  test('containers may vanish while they are read', async () => {
    const short = pod2(world, `${cgroup}-vanishing`);
    // Its shim serves the pod's other containers too, and stays.
    const { podId } = await world.runContainer(short, world.container('stays', SLEEPER));
    for (let round = 0; round < 5; round++) {
      const ids: string[] = [];
      for (const number of [1, 2, 3]) {
        const config = world.container(`gone-${round}-${number}`, ['sleep', `0.${number}`]);
        const id = await world.createContainer(podId, short, config);
        await world.cri.runtime.startContainer({ containerId: id });
        ids.push(id);
      }
      const until = Date.now() + 600;
      while (Date.now() < until) {
        const [{ stats }, { stats: pods }, { podMetrics }] = await Promise.all([
          world.cri.runtime.listContainerStats({}),
          world.cri.runtime.listPodSandboxStats({}),
          world.cri.runtime.listPodSandboxMetrics({}),
        ]);
        for (const one of stats) expect(one).toMatchObject({ cpu: {}, memory: {} });
        expect(pods.map(({ attributes }) => attributes?.id ?? '')).toContain(podId);
        expect(podMetrics.map((one) => one.podSandboxId)).toContain(podId);
      }
      await Promise.all(ids.map((containerId) => world.cri.runtime.removeContainer({ containerId })));
    }
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
  });

  test('a restart of cristal takes nothing back', async () => {
    const before = await statsOf(busy.id);
    await world.cristal.kill9();
    await world.cristal.resume();
    const after = await statsOf(busy.id);
    expect(BigInt(after.cpu?.usageCoreNanoSeconds?.value ?? 0)).toBeGreaterThanOrEqual(
      BigInt(before.cpu?.usageCoreNanoSeconds?.value ?? 0),
    );
    expect(Number(after.memory?.pageFaults?.value)).toBeGreaterThanOrEqual(
      Number(before.memory?.pageFaults?.value),
    );
  });

  test('a pod with a pause process, on the host’s network, has no network of its own', async () => {
    const config = world.pod('host', {
      linux: {
        cgroupParent: `${cgroup}-host`,
        securityContext: { namespaceOptions: { network: 'NODE', pid: 'POD' } },
      },
    });
    const { podId } = await world.runContainer(config, world.container('main', SLEEPER));
    const { stats } = await world.cri.runtime.podSandboxStats({ podSandboxId: podId });
    expect(stats?.linux?.network).toBeNull();
    // sh, sleep, and the pause process.
    await expect.poll(async () => await threadsOf(podId), { timeout: 10_000 }).toBe(3);
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
  });

  test('a pod that names no cgroup has what its containers have, and no sum of others’', async () => {
    const config = world.pod('nameless', { linux: { cgroupParent: '' } });
    const { podId, id } = await world.runContainer(config, world.container('main', SLEEPER));
    const { stats } = await world.cri.runtime.podSandboxStats({ podSandboxId: podId });
    expect(stats?.linux).toMatchObject({ cpu: null, memory: null });
    await expect.poll(async () => await threadsOf(podId), { timeout: 10_000 }).toBe(2);
    expect(stats?.linux?.containers.map(({ attributes }) => attributes?.id ?? '')).toEqual([id]);
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
  });

  test('containerd that is down costs nothing but what was written since', async () => {
    await world.containerd.halt('kill');
    try {
      const { stats } = await world.cri.runtime.listContainerStats({ filter: { id: busy.id } });
      expect(stats).toMatchObject([{ attributes: { id: busy.id }, cpu: {}, memory: {} }]);
      const { podMetrics } = await world.cri.runtime.listPodSandboxMetrics({});
      expect(podMetrics.map(({ podSandboxId }) => podSandboxId)).toContain(busy.podId);
      await world.cristal.kill9();
    } finally {
      await world.containerd.resume();
      if (!world.cristal.isRunning()) await world.cristal.resume();
    }
    expect(await statsOf(busy.id)).toMatchObject({ cpu: {}, memory: {} });
  });
});

/** A pod with a cgroup of its own. */
function pod2(world: FaultWorld, cgroupParent: string): PodConfig {
  return world.pod(cgroupParent.split('/').at(-1) ?? '', { linux: { cgroupParent } });
}

function cgroupFile(controller: string, path: string, file: string): string {
  return readFileSync(`/sys/fs/cgroup/${controller}${path}/${file}`, 'utf8');
}

function processesOf(parent: string, id: string): number[] {
  const dir = `${parent}/${id}`;
  return cgroupFile('memory', dir, 'cgroup.procs').split('\n').filter(Boolean).map(Number);
}

/** The names of a container's processes. */
function commands(parent: string, id: string): string {
  return processesOf(parent, id)
    .map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
    .join(' ');
}

/** What the kernel tells of a cgroup right now. */
function v1(parent: string, id: string) {
  const dir = `${parent}/${id}`;
  const stat = cgroupFile('memory', dir, 'memory.stat');
  const field = (name: string) => Number(new RegExp(`^total_${name} (\\d+)$`, 'm').exec(stat)?.[1]);
  return {
    cpuNs: BigInt(cgroupFile('cpuacct', dir, 'cpuacct.usage').trim()),
    usage: Number(cgroupFile('memory', dir, 'memory.usage_in_bytes')),
    inactiveFile: field('inactive_file'),
    rss: field('rss'),
    pageFaults: field('pgfault'),
  };
}

function netDev(pid: number, name: string): { rxBytes: number; txBytes: number } {
  const line = new RegExp(`^\\s*${name}:(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/net/dev`, 'utf8'))?.[1];
  const numbers = (line ?? '').trim().split(/\s+/).map(Number);
  return { rxBytes: numbers[0] ?? Number.NaN, txBytes: numbers[8] ?? Number.NaN };
}
