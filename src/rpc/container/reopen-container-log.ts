import type { ReopenContainerLogRequest__Output as Request } from '../../gen/runtime/v1/ReopenContainerLogRequest.ts';
import type { ReopenContainerLogResponse as Response } from '../../gen/runtime/v1/ReopenContainerLogResponse.ts';
import { Fault, innerFault } from '../../lib/fault.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'containers' | 'pump'>;

/** For the kubelet's log rotation: it has moved the file away and wants a new one. */
export async function reopenContainerLog(needs: Needs, { containerId }: Request): Promise<Response> {
  const { id, state } = needs.containers.mustFind(containerId);
  if (state !== 'running')
    throw new Fault('failed_precondition', `container "${id}" is ${state}, not running`);
  await needs.pump.reopen(id).catch((error: unknown) => {
    throw innerFault(error);
  });
  return {};
}
