import { stopContainer as stop } from '../../container/stop.ts';
import type { StopContainerRequest__Output as Request } from '../../gen/runtime/v1/StopContainerRequest.ts';
import type { StopContainerResponse as Response } from '../../gen/runtime/v1/StopContainerResponse.ts';
import type { Call } from '../../lib/call.ts';
import type { StopSandboxNeeds as Needs } from '../sandbox/stop-pod-sandbox.ts';

/** One that does not exist, or does not run, is done. The time-out is in seconds. */
export async function stopContainer(needs: Needs, request: Request, { signal }: Call): Promise<Response> {
  const container = needs.containers.find(request.containerId);
  if (!container) return {};
  await stop(needs, container, Math.max(0, Number(request.timeout)) * 1000, signal);
  return {};
}
