import type { StreamPodSandboxStatsRequest__Output as Request } from '../../gen/runtime/v1/StreamPodSandboxStatsRequest.ts';
import type { StreamPodSandboxStatsResponse as Response } from '../../gen/runtime/v1/StreamPodSandboxStatsResponse.ts';
import type { Call } from '../../lib/call.ts';
import { messagesOf } from '../messages.ts';
import type { PodStatsNeeds } from './pod-list.ts';
import { podSandboxStatsOf } from './pod-list.ts';

/** As ListPodSandboxStats, for more pods than one message can carry. */
export async function* streamPodSandboxStats(
  needs: PodStatsNeeds,
  { filter }: Request,
  call: Call,
): AsyncGenerator<Response> {
  for await (const podSandboxStats of messagesOf(podSandboxStatsOf(needs, filter, call))) {
    yield { podSandboxStats };
  }
}
