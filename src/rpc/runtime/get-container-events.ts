import type { ContainerEventResponse as Response } from '../../gen/runtime/v1/ContainerEventResponse.ts';
import type { GetEventsRequest__Output as Request } from '../../gen/runtime/v1/GetEventsRequest.ts';
import type { Call } from '../../lib/call.ts';
import type { Services } from '../services.ts';

/** Never ends by itself but when cristal stops. */
export function getContainerEvents(
  { containerEvents }: Pick<Services, 'containerEvents'>,
  _request: Request,
  { signal }: Call,
): AsyncIterable<Response> {
  return containerEvents.subscribe(signal);
}
