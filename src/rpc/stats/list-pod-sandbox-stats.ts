import type { ListPodSandboxStatsRequest__Output as Request } from '../../gen/runtime/v1/ListPodSandboxStatsRequest.ts';
import type { ListPodSandboxStatsResponse as Response } from '../../gen/runtime/v1/ListPodSandboxStatsResponse.ts';
import type { Call } from '../../lib/call.ts';
import type { PodStatsNeeds } from './pod-list.ts';
import { podSandboxStatsOf } from './pod-list.ts';

export async function listPodSandboxStats(
  needs: PodStatsNeeds,
  { filter }: Request,
  call: Call,
): Promise<Response> {
  return { stats: await Array.fromAsync(podSandboxStatsOf(needs, filter, call)) };
}
