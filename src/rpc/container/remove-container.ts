import { removeContainer as remove } from '../../container/remove.ts';
import { stopContainer } from '../../container/stop.ts';
import type { RemoveContainerRequest__Output as Request } from '../../gen/runtime/v1/RemoveContainerRequest.ts';
import type { RemoveContainerResponse as Response } from '../../gen/runtime/v1/RemoveContainerResponse.ts';
import type { Call } from '../../lib/call.ts';
import type { StopSandboxNeeds as Needs } from '../sandbox/stop-pod-sandbox.ts';

/** Kills it first when it runs. One that does not exist is done. */
export async function removeContainer(needs: Needs, request: Request, { signal }: Call): Promise<Response> {
  const found = needs.containers.find(request.containerId);
  if (!found) return {};
  await stopContainer(needs, found, 0, signal);
  using _held = await needs.locks.take(`container/${found.id}`, signal);
  const container = needs.containers.get(found.id);
  if (container) await remove(needs, container, signal);
  return {};
}
