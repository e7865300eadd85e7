import { setTimeout as sleep } from 'node:timers/promises';
import { removeCgroups } from '../../test/fixtures/host-state.ts';
import { tag } from '../../test/fixtures/scratch.ts';
import { podOf } from '../pods.ts';
import { cpuMs } from '../process-figures.ts';
import type { Scene, Turn } from '../scene.ts';
import { inTurns } from '../scene.ts';
import type { Bench, SideName } from '../sides.ts';
import { SIDES } from '../sides.ts';
import { add, timed } from '../times.ts';

const CONTAINERS = 60;
const PER_POD = 4;
const PODS = CONTAINERS / PER_POD;

/** Longer than cristal shares one reading for. */
const PAUSE_MS = 150;

export const stats: Scene = {
  name: 'stats',
  what: `Statistics and metrics of ${CONTAINERS} containers in ${PODS} pods, each pod with a cgroup of its own.`,
  async play(stage, bench) {
    const parent = `/cristal-test-bench-${tag()}`;
    stage.afterwards(() => removeCgroups(parent));
    for (const side of SIDES) await fill(bench, side, parent);
    await inTurns(stage, { rounds: 20, warmUp: 3 }, (turn) => askAll(bench, turn));
  },
};

/** Pods of a few sleeping containers each. */
async function fill(bench: Bench, side: SideName, parent: string): Promise<void> {
  const { runtime } = bench.sides[side].client;
  for (let pod = 0; pod < PODS; pod++) {
    const { config, container } = podOf(bench, `${side}-${pod}`, ['sleep', '3600']);
    const linux = { ...config.linux, cgroupParent: `${parent}/${config.metadata.name}` };
    const sandboxConfig = { ...config, linux };
    const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig });
    for (let number = 0; number < PER_POD; number++) {
      const named = { ...container, metadata: { name: `c${number}`, attempt: 0 } };
      const { containerId } = await runtime.createContainer({ podSandboxId, config: named, sandboxConfig });
      await runtime.startContainer({ containerId });
    }
  }
}

async function askAll(bench: Bench, { side, times }: Turn): Promise<void> {
  const { client, pid } = bench.sides[side];
  const { runtime } = client;
  const calls: [string, number, () => Promise<number>][] = [
    ['ListContainerStats', CONTAINERS, async () => (await runtime.listContainerStats({})).stats.length],
    ['ListPodSandboxStats', PODS, async () => (await runtime.listPodSandboxStats({})).stats.length],
    ['ListPodSandboxMetrics', PODS, async () => (await runtime.listPodSandboxMetrics({})).podMetrics.length],
  ];
  for (const [name, expected, call] of calls) {
    await sleep(PAUSE_MS);
    const label = `${name}, ${CONTAINERS} containers`;
    const spent = cpuMs(pid());
    const count = await timed(times[side], label, call);
    add(times[side], `processor time, ${label}`, cpuMs(pid()) - spent);
    if (count !== expected) throw new Error(`${side} ${label}: ${count} of ${expected}`);
  }
}
