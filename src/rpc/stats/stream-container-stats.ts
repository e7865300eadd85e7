import type { StreamContainerStatsRequest__Output as Request } from '../../gen/runtime/v1/StreamContainerStatsRequest.ts';
import type { StreamContainerStatsResponse as Response } from '../../gen/runtime/v1/StreamContainerStatsResponse.ts';
import type { Call } from '../../lib/call.ts';
import { messagesOf } from '../messages.ts';
import type { ContainerStatsNeeds } from './container-list.ts';
import { containerStatsOf } from './container-list.ts';

/** As ListContainerStats, for more containers than one message can carry. */
export async function* streamContainerStats(
  needs: ContainerStatsNeeds,
  { filter }: Request,
  call: Call,
): AsyncGenerator<Response> {
  for await (const containerStats of messagesOf(containerStatsOf(needs, filter, call))) {
    yield { containerStats };
  }
}
