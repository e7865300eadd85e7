import type { PodSandboxStatsRequest__Output as Request } from '../../gen/runtime/v1/PodSandboxStatsRequest.ts';
import type { PodSandboxStatsResponse as Response } from '../../gen/runtime/v1/PodSandboxStatsResponse.ts';
import type { Call } from '../../lib/call.ts';
import { Fault } from '../../lib/fault.ts';
import type { PodStatsNeeds } from './pod-list.ts';
import { podSandboxStatsOf } from './pod-list.ts';

export async function podSandboxStats(
  needs: PodStatsNeeds,
  { podSandboxId }: Request,
  call: Call,
): Promise<Response> {
  const { id } = needs.sandboxes.mustFind(podSandboxId);
  for await (const stats of podSandboxStatsOf(needs, { id, labelSelector: {} }, call)) return { stats };
  throw new Fault('failed_precondition', `pod sandbox ${id} is not ready, so there is nothing to measure`);
}
