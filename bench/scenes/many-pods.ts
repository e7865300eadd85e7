import { setTimeout as sleep } from 'node:timers/promises';
import { criAnswers } from '../../test/fixtures/cri-client.ts';
import { eventually } from '../../test/fixtures/processes.ts';
import type { Pod } from '../pods.ts';
import { atATime, bringUp, takeDown } from '../pods.ts';
import { cpuMs, memoryMiB, pssPerPod } from '../process-figures.ts';
import type { Scene, Stage } from '../scene.ts';
import { inTurns } from '../scene.ts';
import type { Bench, SideName } from '../sides.ts';
import { SIDES } from '../sides.ts';
import { add, timed } from '../times.ts';
import { eventLoop } from './event-loop.ts';

const WIDTH = 10;
/** Of one call at a time on one side, before it is the other side's turn. */
const BATCH = 10;
/** At so many pods the daemons are watched at rest; where nobody stops there, at the end. */
const REST_AT = 100;
const REST_S = 30;
/** Longer than cristal shares one reading of the cgroups for. */
const STATS_PAUSE_MS = 150;

/** A stop on the way: so many pods are up on each side. */
interface Stop {
  readonly stage: Stage;
  readonly bench: Bench;
  readonly count: number;
}

export const manyPods: Scene = {
  name: 'many-pods',
  what: `How calls grow with what runs, and what a daemon with a node's worth of pods needs. At rest means: for ${REST_S} s ListPodSandbox and ListContainers each second, Status every 5, ListContainerStats and ImageFsInfo every 10, as a kubelet asks.`,
  async play(stage, bench) {
    const pods: Record<SideName, { name: string; pod: Pod }[]> = { cristal: [], builtin: [] };
    const last = stage.pods.at(-1) ?? 0;
    const restAt = stage.pods.includes(REST_AT) ? REST_AT : last;
    for (const count of stage.pods) {
      const stop = { stage, bench, count };
      for (const side of SIDES) {
        const names = Array.from(
          { length: count - pods[side].length },
          (_, place) => `many-${count}-${place}`,
        );
        const up = await atATime(names, WIDTH, async (name) => ({
          name,
          pod: await bringUp(bench, { side, name }),
        }));
        pods[side].push(...up);
      }
      await oneMore(stop);
      await askInBatches(stop, (side) => pods[side][0]?.pod.containerId ?? '');
      await askStats(stop);
      if (count === restAt) await standStill(stop);
      for (const side of SIDES) measureMemory(stop, side);
    }
    await restart({ stage, bench, count: last });
    await eventLoop(stage, bench);
    for (const side of SIDES) {
      await atATime(pods[side], WIDTH, ({ name, pod }) => takeDown(bench, { side, name }, pod));
    }
  },
};

async function oneMore({ stage, bench, count }: Stop): Promise<void> {
  await inTurns(stage, { rounds: 15, warmUp: 0 }, async ({ side, round, times }) => {
    const name = `extra-${count}-${round}`;
    const pod = await timed(times[side], `pod up beside ${count}`, () => bringUp(bench, { side, name }));
    await takeDown(bench, { side, name }, pod);
  });
}

/** What the kubelet asks all the time, often enough that the median is firm. */
async function askInBatches({ stage, bench, count }: Stop, one: (side: SideName) => string): Promise<void> {
  await inTurns(stage, { rounds: 40, warmUp: 5 }, async ({ side, times }) => {
    const { runtime } = bench.sides[side].client;
    const calls: Record<string, () => Promise<unknown>> = {
      ListPodSandbox: () => runtime.listPodSandbox({}),
      ListContainers: () => runtime.listContainers({}),
      ContainerStatus: () => runtime.containerStatus({ containerId: one(side) }),
    };
    for (const [name, call] of Object.entries(calls)) {
      for (let time = 0; time < BATCH; time++) await timed(times[side], `${name}, ${count} pods`, call);
    }
  });
}

async function askStats({ stage, bench, count }: Stop): Promise<void> {
  await inTurns(stage, { rounds: 20, warmUp: 1 }, async ({ side, times }) => {
    await sleep(STATS_PAUSE_MS);
    const { runtime } = bench.sides[side].client;
    await timed(times[side], `ListContainerStats, ${count} pods`, () => runtime.listContainerStats({}));
  });
}

/** Processor time while a kubelet polls and nothing happens. */
async function standStill({ stage, bench, count }: Stop): Promise<void> {
  for (const side of SIDES) {
    const { client, pid, containerd } = bench.sides[side];
    const { runtime, image } = client;
    const all = new Set([pid(), containerd.pid()]);
    const spent = () => [...all].reduce((sum, each) => sum + cpuMs(each), 0);
    const [before, allBefore, start] = [cpuMs(pid()), spent(), performance.now()];
    for (let second = 0; second < stage.rounds(REST_S); second++) {
      await runtime.listPodSandbox({});
      await runtime.listContainers({});
      if (second % 5 === 0) await runtime.status({});
      if (second % 10 === 0) await Promise.all([runtime.listContainerStats({}), image.imageFsInfo({})]);
      await sleep(Math.max(0, start + 1000 * (second + 1) - performance.now()));
    }
    const percent = (ms: number): number => (100 * ms) / (performance.now() - start);
    add(stage.times[side], `processor at rest, ${count} pods`, percent(cpuMs(pid()) - before));
    add(stage.times[side], `processor at rest with containerd, ${count} pods`, percent(spent() - allBefore));
  }
}

function measureMemory({ stage, bench, count }: Stop, side: SideName): void {
  const { pid, containerd } = bench.sides[side];
  const daemon = memoryMiB(pid());
  const below = containerd.pid() === pid() ? { rss: 0, pss: 0 } : memoryMiB(containerd.pid());
  const times = stage.times[side];
  add(times, `RSS of the daemon, ${count} pods`, daemon.rss);
  add(times, `PSS of the daemon, ${count} pods`, daemon.pss);
  add(times, `RSS with containerd, ${count} pods`, daemon.rss + below.rss);
  add(times, `PSS with containerd, ${count} pods`, daemon.pss + below.pss);
  add(times, `PSS of a pod's shim and processes, ${count} pods`, pssPerPod(containerd.dir, count));
}

/** From the start of the process to its first answer, with everything to be found again. */
async function restart({ stage, bench, count }: Stop): Promise<void> {
  await inTurns(stage, { rounds: 3, warmUp: 0 }, async ({ side, times }) => {
    const { address, client, pid, halt, resume } = bench.sides[side];
    await halt();
    const answered = async (): Promise<void> => {
      // Without a process the run is being stopped, and nobody will answer.
      const up = await eventually(async () => pid() === 0 || (await criAnswers(address)), 30_000);
      if (!up || pid() === 0) throw new Error(`${side} did not start`);
    };
    await Promise.all([resume(), timed(times[side], `daemon's start, ${count} pods`, answered)]);
    const { runtime } = client;
    const filter = { state: { state: 'CONTAINER_RUNNING' as const } };
    const { containers } = await runtime.listContainers({ filter });
    if (containers.length !== count) {
      throw new Error(`${side} found ${containers.length} of ${count} containers`);
    }
  });
}
