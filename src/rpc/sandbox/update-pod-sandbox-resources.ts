import { runtimeNamed } from '../../config/runtimes.ts';
import { resourcesAny } from '../../container/oci-any.ts';
import type { LinuxContainerResources__Output as Resources } from '../../gen/runtime/v1/LinuxContainerResources.ts';
import type { UpdatePodSandboxResourcesRequest__Output as Request } from '../../gen/runtime/v1/UpdatePodSandboxResourcesRequest.ts';
import type { UpdatePodSandboxResourcesResponse as Response } from '../../gen/runtime/v1/UpdatePodSandboxResourcesResponse.ts';
import type { Call } from '../../lib/call.ts';
import { during, Fault, innerFault } from '../../lib/fault.ts';
import { ociResources } from '../../spec/resources.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import { runtimeOptions } from '../runtime-options.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'cgroupDriver' | 'config' | 'containerd' | 'facts' | 'locks' | 'sandboxes'>;

/**
 * Notes the limits of the pod as a whole, which the kubelet sets on the pod's cgroup itself. Only the machine of
 * a VM runtime has to hear of them, by the task of the sandbox's process; runc's pause container keeps its own.
 */
export async function updatePodSandboxResources(
  needs: Needs,
  request: Request,
  call: Call,
): Promise<Response> {
  const { id } = needs.sandboxes.mustFind(request.podSandboxId);
  const { overhead, resources } = request;
  if (!overhead && !resources) throw new Fault('invalid_argument', 'overhead or resources are required');
  using _alone = await needs.locks.take(`sandbox/${id}`, call.signal);
  const sandbox = needs.sandboxes.mustFind(id);
  if (sandbox.state !== 'ready') {
    throw new Fault(
      'failed_precondition',
      `pod sandbox "${id}" is not ready; its resources cannot be changed`,
    );
  }
  if (resources) await tellMachine(needs, { sandbox, resources }, call);
  await needs.sandboxes
    .setStatus(id, { updatedResources: { overhead, resources } })
    .catch((error: unknown) => {
      needs.sandboxes.update(id, { updatedResources: sandbox.updatedResources });
      throw during(`write down the resources of pod sandbox "${id}"`, error);
    });
  return {};
}

async function tellMachine(
  { config, cgroupDriver, containerd, facts }: Needs,
  { sandbox, resources }: { sandbox: Sandbox; resources: Resources },
  { signal }: Call,
): Promise<void> {
  const { id, holder, runtimeHandler } = sandbox;
  const isRunc = runtimeOptions(runtimeNamed(config, runtimeHandler), cgroupDriver) !== null;
  if (holder !== 'pause' || isRunc) return;
  try {
    await containerd.tasks.update(
      id,
      resourcesAny(ociResources(resources, { ...facts, ...config })),
      {},
      { signal },
    );
  } catch (error) {
    throw during(`set the resources of pod sandbox "${id}"`, innerFault(error));
  }
}
