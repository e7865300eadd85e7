import type { StreamContainersRequest__Output as Request } from '../../gen/runtime/v1/StreamContainersRequest.ts';
import type { StreamContainersResponse as Response } from '../../gen/runtime/v1/StreamContainersResponse.ts';
import { messagesOf } from '../messages.ts';
import type { Services } from '../services.ts';
import { listed } from './list-containers.ts';

/** As ListContainers, for nodes with more containers than one message can carry. */
export async function* streamContainers(
  needs: Pick<Services, 'containers' | 'sandboxes'>,
  { filter }: Request,
): AsyncGenerator<Response> {
  for await (const containers of messagesOf(listed(needs, filter))) yield { containers };
}
