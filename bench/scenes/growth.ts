import { pino } from 'pino';
import type { Containers } from '../../src/containerd/containers.ts';
import { createCgroupReader } from '../../src/host/cgroup/reader.ts';
import { readHostFacts } from '../../src/host/facts.ts';
import { listContainers } from '../../src/rpc/container/list-containers.ts';
import { container, sandbox } from '../../src/rpc/fixtures.ts';
import { createContainerEvents } from '../../src/rpc/runtime/container-events.ts';
import { listPodSandbox } from '../../src/rpc/sandbox/list-pod-sandbox.ts';
import type { Services } from '../../src/rpc/services.ts';
import type { ContainerStatsNeeds } from '../../src/rpc/stats/container-list.ts';
import { containerStatsOf } from '../../src/rpc/stats/container-list.ts';
import { cri } from '../../src/server/proto.ts';
import { createStats } from '../../src/stats/collector.ts';
import { createContainerStore } from '../../src/store/containers.ts';
import { createImageStore } from '../../src/store/images.ts';
import { createPaths } from '../../src/store/paths.ts';
import { createSandboxStore } from '../../src/store/sandboxes.ts';
import { makeCgroups, removeCgroups } from '../../test/fixtures/host-state.ts';
import { removeScratch, scratchDir, tag } from '../../test/fixtures/scratch.ts';
import type { Scene, Stage } from '../scene.ts';
import type { Times } from '../times.ts';
import { add, noTimes, timed } from '../times.ts';

const SIZES = [100, 1_000, 10_000];
const CGROUPS = 15;
const WARM_UP = 5;

type Stores = Pick<Services, 'containers' | 'sandboxes'>;

export const growth: Scene = {
  name: 'growth',
  what: "cristal's own stores and handlers for up to 10,000 pods of one container, without containerd and without a network: a list with its answer encoded; one container's exit until its event is with a subscriber; statistics from the kernel's files, of few cgroups under many names, and the longest turn of the event loop meanwhile, in processor time.",
  async simulate(stage) {
    const dir = scratchDir('growth');
    stage.afterwards(() => removeScratch(dir));
    const parent = `/cristal-test-bench-${tag()}`;
    stage.afterwards(() => removeCgroups(parent));
    const cgroups = Array.from({ length: CGROUPS }, (_, place) => `${parent}/${place}`);
    for (const path of [parent, ...cgroups]) makeCgroups(path);
    for (const size of SIZES) {
      const stores = fill(dir, cgroups, size);
      lists(stage, stores, size);
      await events(stage, stores, size);
      await statistics(stage, stores, size);
    }
  },
};

/** Stores as of a node with so many pods. */
function fill(dir: string, cgroups: readonly string[], size: number): Stores {
  const none: Pick<Containers, 'create' | 'delete'> = { create: async () => {}, delete: async () => true };
  const paths = createPaths({ root: dir, state: dir });
  const sandboxes = createSandboxStore(none, paths);
  const containers = createContainerStore(none, paths);
  for (let number = 0; number < size; number++) {
    // Another name for the same cgroup: a reader that keeps files open must not profit from there being few.
    const alias = Math.floor(number / cgroups.length);
    const [before, behind] = [alias % 100, Math.floor(alias / 100)].map((count) => '/.'.repeat(count));
    const cgroupsPath = `${before}${cgroups[number % cgroups.length]}${behind}`;
    const sandboxId = `pod${number}`;
    sandboxes.restore(sandbox({ id: sandboxId, name: sandboxId }));
    containers.restore(container({ id: `c${number}`, name: `c${number}`, sandboxId, cgroupsPath }));
  }
  return { sandboxes, containers };
}

function lists(stage: Stage, stores: Stores, size: number): void {
  const service = cri['runtime.v1.RuntimeService'];
  const calls = {
    ListPodSandbox: () => service.ListPodSandbox.responseSerialize(listPodSandbox(stores, { filter: null })),
    ListContainers: () => service.ListContainers.responseSerialize(listContainers(stores, { filter: null })),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (let round = -WARM_UP; round < stage.rounds(50); round++) {
      const { cristal } = round < 0 ? noTimes() : stage.times;
      const start = performance.now();
      call();
      add(cristal, labelOf(name, size), performance.now() - start);
    }
  }
}

async function events(stage: Stage, stores: Stores, size: number): Promise<void> {
  const log = pino({ level: 'silent' });
  const images = { store: createImageStore({} as never, log, null) } as Services['images'];
  using told = createContainerEvents({ ...stores, images, log });
  told.open();
  const stop = new AbortController();
  const inbox = told.subscribe(stop.signal)[Symbol.asyncIterator]();
  for (let round = -WARM_UP; round < stage.rounds(100); round++) {
    const { cristal } = round < 0 ? noTimes() : stage.times;
    const running = stores.containers.mustFind(`c${(round + WARM_UP) % size}`);
    const start = performance.now();
    const next = inbox.next();
    stores.containers.update(running.id, { state: 'exited' });
    await next;
    add(cristal, labelOf('an exit as an event', size), performance.now() - start);
    stores.containers.restore(running); // without an event, so that the node stays as it is
  }
  stop.abort();
  await inbox.next().catch(() => {}); // ends with the signal's reason
}

async function statistics(stage: Stage, stores: Stores, size: number): Promise<void> {
  const log = pino({ level: 'silent' });
  using reader = createCgroupReader(await readHostFacts());
  using stats = createStats({
    ...stores,
    cgroups: reader,
    namespaces: { netDev: async () => [] },
    cgroupDriver: 'cgroupfs',
    paths: { sandboxState: (id) => id },
    log,
  });
  const diskUsage = { get: async () => ({ at: 0, snapshotters: new Map(), contentBytes: 0 }) };
  const needs = { ...stores, stats, diskUsage } as unknown as ContainerStatsNeeds;
  const call = { rpc: 'ListContainerStats', signal: new AbortController().signal, log };
  for (let round = -1; round < stage.rounds(4); round++) {
    const { cristal }: Times = round < 0 ? noTimes() : stage.times;
    const turns = watchTurns();
    const all = await timed(cristal, labelOf('ListContainerStats', size), () =>
      Array.fromAsync(containerStatsOf(needs, null, call)),
    );
    add(cristal, labelOf('ListContainerStats, longest turn', size), turns.stop());
    if (all.length !== size) throw new Error(`statistics of ${all.length} of ${size} containers`);
  }
}

function labelOf(name: string, size: number): string {
  return `simulated: ${name}, ${size}`;
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
