import type { RemovePodSandboxRequest__Output as Request } from '../../gen/runtime/v1/RemovePodSandboxRequest.ts';
import type { RemovePodSandboxResponse as Response } from '../../gen/runtime/v1/RemovePodSandboxResponse.ts';
import type { Call } from '../../lib/call.ts';
import { removeSandbox } from './remove-sandbox.ts';
import type { StopSandboxNeeds } from './stop-pod-sandbox.ts';

/** Stops it first when need be, and removes its containers. One that does not exist is done. */
export async function removePodSandbox(
  needs: StopSandboxNeeds,
  request: Request,
  call: Call,
): Promise<Response> {
  const found = needs.sandboxes.find(request.podSandboxId);
  if (found) await removeSandbox(needs, found.id, call.signal);
  return {};
}
