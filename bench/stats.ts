// How long the stats and metrics of many containers take: cristal and containerd's built-in CRI in turn, and what
// cristal's own part of it, without the kernel, costs for a node of thousands.
// `node bench/stats.ts [containers] [rounds]`
import { pino } from 'pino';
import { createCgroupReader } from '../src/host/cgroup/reader.ts';
import { usageV1 } from '../src/host/cgroup/v1.ts';
import { readHostFacts } from '../src/host/facts.ts';
import { container } from '../src/rpc/fixtures.ts';
import type { ContainerStatsNeeds } from '../src/rpc/stats/container-list.ts';
import { containerStatsOf } from '../src/rpc/stats/container-list.ts';
import { cri } from '../src/server/proto.ts';
import { createStats } from '../src/stats/collector.ts';
import { toContainerStats } from '../src/stats/cri-stats.ts';
import { removeCgroups } from '../test/fixtures/host-state.ts';
import { tag } from '../test/fixtures/scratch.ts';
import type { Bench, SideName } from './sides.ts';
import { cpuMs, podOf, SIDES, startSides } from './sides.ts';
import { noTimes, printTable, timed } from './times.ts';

const CONTAINERS = Number(process.argv[2] ?? 60);
const ROUNDS = Number(process.argv[3] ?? 30);
const PER_POD = 4;
const MANY = 10_000;

/** Longer than cristal shares one reading for. */
const PAUSE_MS = 150;

const CGROUP = `/cristal-test-bench-${tag()}`;

await using started = new AsyncDisposableStack();
started.defer(() => removeCgroups(CGROUP));
const bench = started.use(await startSides());
const podCgroups: string[] = [];
for (const side of SIDES) podCgroups.push(...(await fill(bench, side)));
const times = noTimes();
const cpu = noTimes();
for (let round = -3; round < ROUNDS; round++) {
  for (const side of SIDES) {
    await askAll(bench, side, round < 0 ? null : { times: times[side], cpu: cpu[side] });
  }
}
printTable(`median of ${ROUNDS}, ${CONTAINERS} containers, ms`, times);
printTable(`processor time of the server, ms`, cpu);
await simulate(podCgroups);
await empty(bench);

/** Pods of a few sleeping containers, each pod with a cgroup of its own as the kubelet gives it. Answers those. */
async function fill(all: Bench, side: SideName): Promise<string[]> {
  const cgroups: string[] = [];
  const { runtime } = all.sides[side].client;
  for (let first = 0; first < CONTAINERS; first += PER_POD) {
    const { config, container: template } = podOf(all, `${side}-${first}`, ['sleep', '3600']);
    const linux = { ...config.linux, cgroupParent: `${CGROUP}/${config.metadata.name}` };
    const sandboxConfig = { ...config, linux };
    cgroups.push(linux.cgroupParent);
    const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig });
    for (let number = 0; number < Math.min(PER_POD, CONTAINERS - first); number++) {
      const named = { ...template, metadata: { name: `c${number}`, attempt: 0 } };
      const { containerId } = await runtime.createContainer({ podSandboxId, config: named, sandboxConfig });
      await runtime.startContainer({ containerId });
    }
  }
  return cgroups;
}

async function askAll(
  all: Bench,
  side: SideName,
  into: { times: Map<string, number[]>; cpu: Map<string, number[]> } | null,
): Promise<void> {
  const { client } = all.sides[side];
  const pid = all.sides[side].pid();
  const { runtime } = client;
  const calls: [string, () => Promise<number>][] = [
    ['ListContainerStats', async () => (await runtime.listContainerStats({})).stats.length],
    ['ListPodSandboxStats', async () => (await runtime.listPodSandboxStats({})).stats.length],
    ['ListPodSandboxMetrics', async () => (await runtime.listPodSandboxMetrics({})).podMetrics.length],
  ];
  const expected = [CONTAINERS, Math.ceil(CONTAINERS / PER_POD), Math.ceil(CONTAINERS / PER_POD)];
  for (const [index, [label, call]] of calls.entries()) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const spent = cpuMs(pid);
    const count = await (into ? timed(into.times, label, call) : call());
    if (count !== expected[index]) throw new Error(`${side} ${label}: ${count} of ${expected[index]}`);
    into?.cpu.set(label, [...(into.cpu.get(label) ?? []), cpuMs(pid) - spent]);
  }
}

async function empty(all: Bench): Promise<void> {
  for (const { client } of Object.values(all.sides)) {
    for (const { id } of (await client.runtime.listPodSandbox({})).items) {
      await client.runtime.removePodSandbox({ podSandboxId: id });
    }
  }
}

/** The same for thousands of containers: with the kernel's files, and parsing, mapping and encoding alone. */
async function simulate(cgroups: readonly string[]): Promise<void> {
  const containers = Array.from({ length: MANY }, (_, number) => {
    // Another name for the same cgroup: a reader that keeps files open must not profit from there being few.
    const alias = Math.floor(number / cgroups.length);
    const [before, behind] = [alias % 100, Math.floor(alias / 100)].map((count) => '/.'.repeat(count));
    return container({
      id: `c${number}`,
      cgroupsPath: `${before}${cgroups[number % cgroups.length]}${behind}`,
    });
  });
  const log = pino({ level: 'silent' });
  const list = { list: () => containers };
  using reader = createCgroupReader(await readHostFacts());
  using stats = createStats({
    cgroups: reader,
    namespaces: { netDev: async () => [] },
    containers: list,
    sandboxes: { list: () => [] },
    cgroupDriver: 'cgroupfs',
    paths: { sandboxState: (id) => id },
    log,
  });
  const layers = { get: async () => ({ at: 0, snapshotters: new Map(), contentBytes: 0 }) };
  const needs = { containers: list, stats, diskUsage: layers } as unknown as ContainerStatsNeeds;
  const call = { rpc: 'ListContainerStats', signal: new AbortController().signal, log };
  const turns = watchTurns();
  const start = performance.now();
  const all = await Array.fromAsync(containerStatsOf(needs, null, call));
  const read = performance.now();
  const longest = turns.stop();
  const bytes = cri['runtime.v1.RuntimeService'].ListContainerStats.responseSerialize({ stats: all }).length;
  const end = performance.now();
  report(`${all.length} containers, read`, read - start);
  report('  longest turn, processor time', longest);
  report(`  encode ${(bytes / 2 ** 20).toFixed(1)} MiB`, end - read);
  report('  parse and map, of texts', parseAndMap());
}

/** How much processor time, in milliseconds, one turn of the event loop took at most: others keep the machine busy. */
function watchTurns(): { stop(): number } {
  let isOn = true;
  let longest = 0;
  let before = cpuOfThread();
  const tick = (): void => {
    const now = cpuOfThread();
    longest = Math.max(longest, now - before);
    before = now;
    if (isOn) setImmediate(tick);
  };
  setImmediate(tick);
  return {
    stop: () => {
      isOn = false;
      return longest;
    },
  };
}

/** In milliseconds. */
function cpuOfThread(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

function parseAndMap(): number {
  const fields = [
    'cache',
    'rss',
    'rss_huge',
    'shmem',
    'mapped_file',
    'dirty',
    'writeback',
    'swap',
    'pgpgin',
    'pgpgout',
  ];
  const more = [
    'pgfault',
    'pgmajfault',
    'inactive_anon',
    'active_anon',
    'inactive_file',
    'active_file',
    'unevictable',
  ];
  const lines = [...fields, ...more].map((name) => `${name} 1234567`);
  const texts = new Map([
    ['memory.stat', `${[...lines, ...lines.map((line) => `total_${line}`)].join('\n')}\n`],
    ['cpuacct.usage', '123456789012345\n'],
  ]);
  const one = container();
  const start = performance.now();
  for (let number = 0; number < MANY; number++) {
    const usage = usageV1((_, file) => texts.get(file) ?? '104857600\n');
    toContainerStats(one, { at: 1n, cgroup: '/k8s.io/c1', usage, nanoCores: 5n }, null);
  }
  return performance.now() - start;
}

function report(what: string, ms: number): void {
  process.stdout.write(`${what.padEnd(36)}${ms.toFixed(1).padStart(9)}\n`);
}
