import { removeContainer } from '../../container/remove.ts';
import type { RemovePodSandboxRequest__Output as Request } from '../../gen/runtime/v1/RemovePodSandboxRequest.ts';
import type { RemovePodSandboxResponse as Response } from '../../gen/runtime/v1/RemovePodSandboxResponse.ts';
import type { Call } from '../../lib/call.ts';
import { removeSandboxFiles } from '../../sandbox/files.ts';
import { containersOf } from '../../store/containers.ts';
import type { StopSandboxNeeds } from './stop-pod-sandbox.ts';
import { stopSandbox } from './stop-pod-sandbox.ts';

/** Stops it first when need be, and removes its containers. One that does not exist is done. */
export async function removePodSandbox(
  needs: StopSandboxNeeds,
  request: Request,
  call: Call,
): Promise<Response> {
  const found = needs.sandboxes.find(request.podSandboxId);
  if (!found) return {};
  const { id } = found;
  using _alone = await needs.locks.take(`sandbox/${id}`, call.signal);
  const sandbox = needs.sandboxes.get(id);
  if (!sandbox) return {};
  await stopSandbox(needs, sandbox, call.signal);
  for (const container of containersOf(needs.containers, id)) {
    using _held = await needs.locks.take(`container/${container.id}`, call.signal);
    await removeContainer(needs, container, call.signal);
  }
  await removeSandboxFiles(needs.paths.sandboxState(id));
  await needs.sandboxes.deleteRecord(id);
  await needs.sandboxes.forget(id);
  return {};
}
