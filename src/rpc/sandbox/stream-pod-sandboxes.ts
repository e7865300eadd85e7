import type { StreamPodSandboxesRequest__Output as Request } from '../../gen/runtime/v1/StreamPodSandboxesRequest.ts';
import type { StreamPodSandboxesResponse as Response } from '../../gen/runtime/v1/StreamPodSandboxesResponse.ts';
import { messagesOf } from '../messages.ts';
import type { Services } from '../services.ts';
import { listSandboxes } from './list-pod-sandbox.ts';

/** As ListPodSandbox, for nodes with more pods than one message can carry. */
export async function* streamPodSandboxes(
  needs: Pick<Services, 'sandboxes'>,
  { filter }: Request,
): AsyncGenerator<Response> {
  for await (const podSandboxes of messagesOf(listSandboxes(needs, filter))) yield { podSandboxes };
}
