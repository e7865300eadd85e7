import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../pods.ts';
import { atATime, bringUp, takeDown } from '../pods.ts';
import type { Bench, SideName } from '../sides.ts';
import { cpuMs, memoryMiB, SIDES } from '../sides.ts';
import type { Times } from '../times.ts';
import { add, timed } from '../times.ts';

/** At so many pods the lists and one more pod are timed. */
const STOPS = [10, 60, 100, 300];
const LISTS = 40;
const EXTRA_PODS = 5;
const IDLE_MS = 20_000;
const WIDTH = 6;
/** Longer than cristal shares one reading of the cgroups for. */
const STATS_PAUSE_MS = 150;

/** How the cost of a call grows with what runs, and what the daemon is when it has a node's worth of pods. */
export async function manyPods(bench: Bench, times: Times, limit: number): Promise<void> {
  const pods: Record<SideName, { name: string; pod: Pod }[]> = { cristal: [], builtin: [] };
  for (const count of STOPS.filter((stop) => stop <= limit)) {
    for (const side of SIDES) await fillUpTo(bench, { side, count, pods: pods[side] });
    for (let round = 0; round < EXTRA_PODS; round++) {
      for (const side of SIDES) await oneMore(bench, { side, times, count, round });
    }
    for (let round = 0; round < LISTS; round++) {
      for (const side of SIDES) await askOnce(bench, { side, times, count, one: pods[side][0]?.pod });
    }
    if (count === 100) await standStill(bench, times);
  }
  for (const side of SIDES) await restart(bench, { side, times, count: pods[side].length });
  for (const side of SIDES) {
    await atATime(pods[side], WIDTH, ({ name, pod }) => takeDown(bench, { side, name }, pod));
  }
}

interface Stop {
  readonly side: SideName;
  readonly times: Times;
  readonly count: number;
}

async function fillUpTo(
  bench: Bench,
  { side, count, pods }: { side: SideName; count: number; pods: { name: string; pod: Pod }[] },
): Promise<void> {
  const names = Array.from({ length: count - pods.length }, (_, place) => `many-${pods.length + place}`);
  const up = await atATime(names, WIDTH, async (name) => ({
    name,
    pod: await bringUp(bench, { side, name }),
  }));
  pods.push(...up);
}

async function oneMore(bench: Bench, { side, times, count, round }: Stop & { round: number }): Promise<void> {
  const name = `extra-${count}-${round}`;
  const pod = await timed(times[side], `pod up beside ${count}`, () => bringUp(bench, { side, name }));
  await takeDown(bench, { side, name }, pod);
}

/** What the kubelet asks all the time. */
async function askOnce(
  bench: Bench,
  { side, times, count, one }: Stop & { one: Pod | undefined },
): Promise<void> {
  const { runtime } = bench.sides[side].client;
  const step = <T>(label: string, act: () => Promise<T>): Promise<T> =>
    timed(times[side], `${label}, ${count} pods`, act);
  await step('ListPodSandbox', () => runtime.listPodSandbox({}));
  await step('ListContainers', () => runtime.listContainers({}));
  await step('ContainerStatus', () => runtime.containerStatus({ containerId: one?.containerId ?? '' }));
  await sleep(STATS_PAUSE_MS);
  await step('ListContainerStats', () => runtime.listContainerStats({}));
}

/** Memory, and processor time while a kubelet polls: lists each second, statistics every ten. */
async function standStill(bench: Bench, times: Times): Promise<void> {
  for (const side of SIDES) {
    const { client } = bench.sides[side];
    const pid = bench.sides[side].pid();
    const before = cpuMs(pid);
    const start = performance.now();
    for (let second = 0; performance.now() - start < IDLE_MS; second++) {
      await client.runtime.listPodSandbox({});
      await client.runtime.listContainers({});
      if (second % 10 === 0) await client.runtime.listContainerStats({});
      await sleep(1000);
    }
    const share = (cpuMs(pid) - before) / (performance.now() - start);
    add(times[side], 'processor at rest, 100 pods', 100 * share);
    const { rss, pss } = memoryMiB(pid);
    add(times[side], 'RSS, 100 pods', rss);
    add(times[side], 'PSS, 100 pods', pss);
  }
}

/** From the start of the process to its first answer, with everything to be found again. */
async function restart(bench: Bench, { side, times, count }: Stop): Promise<void> {
  await bench.sides[side].halt();
  await timed(times[side], `daemon's start, ${count} pods`, () => bench.sides[side].resume());
  const { containers } = await bench.sides[side].client.runtime.listContainers({
    filter: { state: { state: 'CONTAINER_RUNNING' } },
  });
  if (containers?.length !== count)
    throw new Error(`${side} found ${containers?.length} of ${count} containers`);
}
