import type { ListContainerStatsRequest__Output as Request } from '../../gen/runtime/v1/ListContainerStatsRequest.ts';
import type { ListContainerStatsResponse as Response } from '../../gen/runtime/v1/ListContainerStatsResponse.ts';
import type { Call } from '../../lib/call.ts';
import type { ContainerStatsNeeds } from './container-list.ts';
import { containerStatsOf } from './container-list.ts';

export async function listContainerStats(
  needs: ContainerStatsNeeds,
  { filter }: Request,
  call: Call,
): Promise<Response> {
  return { stats: await Array.fromAsync(containerStatsOf(needs, filter, call)) };
}
