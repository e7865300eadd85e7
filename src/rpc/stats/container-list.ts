import type { ContainerStats as Stats } from '../../gen/runtime/v1/ContainerStats.ts';
import type { ContainerStatsFilter__Output as Filter } from '../../gen/runtime/v1/ContainerStatsFilter.ts';
import type { Call } from '../../lib/call.ts';
import { Turns } from '../../lib/turns.ts';
import { toContainerStats } from '../../stats/cri-stats.ts';
import type { Container } from '../../store/containers.ts';
import { fits } from '../container/status.ts';
import type { Services } from '../services.ts';
import { writableLayers } from './writable-layers.ts';

export type ContainerStatsNeeds = Pick<Services, 'containers' | 'sandboxes' | 'stats' | 'diskUsage'>;

/**
 * The stats of all running containers that pass the filter. One that does not run is left out: the kubelet would
 * find it under the name of the one that took its place, and refuse to lower that one's memory limit for want of
 * a figure ("missing container memory usage"). One that is gone by now is left out too.
 */
export async function* containerStatsOf(
  needs: ContainerStatsNeeds,
  filter: Filter | null,
  call: Call,
): AsyncGenerator<Stats> {
  const layerOf = await writableLayers(needs, call);
  const turns = new Turns();
  for (const container of selected(needs, filter)) {
    const reading = needs.stats.container(container);
    if (reading) yield toContainerStats(container, reading, layerOf(container));
    if (!turns.over()) continue;
    await turns.next();
    call.signal.throwIfAborted();
  }
}

/** An id that fits none selects none. */
function selected({ containers, sandboxes }: ContainerStatsNeeds, filter: Filter | null): Container[] {
  if (!filter) return containers.list();
  const id = filter.id && (containers.find(filter.id)?.id ?? filter.id);
  const podSandboxId =
    filter.podSandboxId && (sandboxes.find(filter.podSandboxId)?.id ?? filter.podSandboxId);
  const wanted = { ...filter, id, podSandboxId, state: null };
  return containers.list().filter((container) => fits(container, wanted));
}
