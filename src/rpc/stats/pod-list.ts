import type { PodSandboxStats as Stats } from '../../gen/runtime/v1/PodSandboxStats.ts';
import type { PodSandboxStatsFilter__Output as Filter } from '../../gen/runtime/v1/PodSandboxStatsFilter.ts';
import type { Call } from '../../lib/call.ts';
import { Turns } from '../../lib/turns.ts';
import { toContainerStats, toPodSandboxStats } from '../../stats/cri-stats.ts';
import type { NetworkReading } from '../../stats/networks.ts';
import type { Container } from '../../store/containers.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import { fits } from '../sandbox/status.ts';
import type { Services } from '../services.ts';
import type { WritableLayers } from './writable-layers.ts';
import { writableLayers } from './writable-layers.ts';

export type PodStatsNeeds = Pick<Services, 'containers' | 'sandboxes' | 'stats' | 'diskUsage'>;

/** The stats of all ready pods that pass the filter, each with those of its running containers. */
export async function* podSandboxStatsOf(
  needs: PodStatsNeeds,
  filter: Filter | null,
  call: Call,
): AsyncGenerator<Stats> {
  const pods = selected(needs, filter);
  const [layerOf, networks] = await Promise.all([writableLayers(needs, call), needs.stats.networks(pods)]);
  const members = Map.groupBy(needs.containers.list(), ({ sandboxId }) => sandboxId);
  const turns = new Turns();
  for (const pod of pods) {
    const network = networks.get(pod.id) ?? null;
    yield podStats(needs, pod, { network, layerOf, containers: members.get(pod.id) ?? [] });
    if (!turns.over()) continue;
    await turns.next();
    call.signal.throwIfAborted();
  }
}

interface Around {
  network: NetworkReading | null;
  layerOf: WritableLayers;
  containers: readonly Container[];
}

function podStats({ stats }: PodStatsNeeds, pod: Sandbox, { network, layerOf, containers }: Around): Stats {
  const reading = stats.pod(pod);
  const running = containers.flatMap((container) => {
    const own = stats.container(container);
    return own ? [{ container, own }] : [];
  });
  // Without a cgroup of the pod's own, its processes are those of its containers.
  const cgroups = reading ? [reading] : running.map(({ own }) => own);
  return toPodSandboxStats(pod, {
    reading,
    network,
    threads: cgroups.reduce((sum, one) => sum + stats.threads(one), 0),
    containers: running.map(({ container, own }) => toContainerStats(container, own, layerOf(container))),
  });
}

/** An id that fits none selects none. */
function selected({ sandboxes }: PodStatsNeeds, filter: Filter | null): Sandbox[] {
  const ready = sandboxes.list().filter(({ state }) => state === 'ready');
  if (!filter) return ready;
  const id = filter.id && (sandboxes.find(filter.id)?.id ?? filter.id);
  return ready.filter((sandbox) => fits(sandbox, { ...filter, id, state: null }));
}
