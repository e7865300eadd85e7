// How long the stats and metrics of many containers take: cristal and containerd's built-in CRI in turn, and what
// cristal's own part of it, without the kernel, costs for a node of thousands.
// `node bench/stats.ts [containers] [rounds]`
import { usageV1 } from '../src/host/cgroup/v1.ts';
import { container } from '../src/rpc/fixtures.ts';
import { cri } from '../src/server/proto.ts';
import { toContainerStats } from '../src/stats/cri-stats.ts';
import { removeCgroups } from '../test/fixtures/host-state.ts';
import { tag } from '../test/fixtures/scratch.ts';
import type { Bench, SideName } from './sides.ts';
import { cpuMs, noTimes, podOf, printTable, SIDES, startSides, timed } from './sides.ts';

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
for (const side of SIDES) await fill(bench, side);
const times = noTimes();
const cpu = noTimes();
for (let round = -3; round < ROUNDS; round++) {
  for (const side of SIDES) {
    await askAll(bench, side, round < 0 ? null : { times: times[side], cpu: cpu[side] });
  }
}
printTable(`median of ${ROUNDS}, ${CONTAINERS} containers, ms`, times);
printTable(`processor time of the server, ms`, cpu);
simulate();
await empty(bench);

/** Pods of a few sleeping containers, each pod with a cgroup of its own as the kubelet gives it. */
async function fill(all: Bench, side: SideName): Promise<void> {
  const { runtime } = all.sides[side].client;
  for (let first = 0; first < CONTAINERS; first += PER_POD) {
    const { config, container: template } = podOf(all, `${side}-${first}`, ['sleep', '3600']);
    const linux = { ...config.linux, cgroupParent: `${CGROUP}/${config.metadata.name}` };
    const sandboxConfig = { ...config, linux };
    const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig });
    for (let number = 0; number < Math.min(PER_POD, CONTAINERS - first); number++) {
      const named = { ...template, metadata: { name: `c${number}`, attempt: 0 } };
      const { containerId } = await runtime.createContainer({ podSandboxId, config: named, sandboxConfig });
      await runtime.startContainer({ containerId });
    }
  }
}

async function askAll(
  all: Bench,
  side: SideName,
  into: { times: Map<string, number[]>; cpu: Map<string, number[]> } | null,
): Promise<void> {
  const { client, pid } = all.sides[side];
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

/** Parsing, mapping and encoding for thousands of containers, from the same recorded texts. */
function simulate(): void {
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
  const stats = Array.from({ length: MANY }, () => {
    const usage = usageV1((_, file) => texts.get(file) ?? '104857600\n');
    return toContainerStats(one, { at: 1n, cgroup: '/k8s.io/c1', usage, nanoCores: 5n }, null);
  });
  const mapped = performance.now();
  const bytes = cri['runtime.v1.RuntimeService'].ListContainerStats.responseSerialize({ stats }).length;
  const end = performance.now();
  process.stdout.write(
    `${MANY} containers without the kernel: parse and map ${(mapped - start).toFixed(0)} ms, ` +
      `encode ${(end - mapped).toFixed(0)} ms, ${(bytes / 2 ** 20).toFixed(1)} MiB\n`,
  );
}
