import type { ContainerStatsRequest__Output as Request } from '../../gen/runtime/v1/ContainerStatsRequest.ts';
import type { ContainerStatsResponse as Response } from '../../gen/runtime/v1/ContainerStatsResponse.ts';
import type { Call } from '../../lib/call.ts';
import { Fault } from '../../lib/fault.ts';
import { toContainerStats } from '../../stats/cri-stats.ts';
import type { ContainerStatsNeeds } from './container-list.ts';
import { writableLayers } from './writable-layers.ts';

export async function containerStats(
  needs: ContainerStatsNeeds,
  { containerId }: Request,
  call: Call,
): Promise<Response> {
  const { id } = needs.containers.mustFind(containerId);
  const layerOf = await writableLayers(needs, call);
  const container = needs.containers.mustFind(id);
  const reading = needs.stats.container(container);
  if (!reading)
    throw new Fault('failed_precondition', `container ${id} has no cgroup to read: it is ${container.state}`);
  return { stats: toContainerStats(container, reading, layerOf(container)) };
}
