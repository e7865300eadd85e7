import { resourcesAny, specAny, specFrom } from '../../container/oci-any.ts';
import type { LinuxContainerResources__Output as Resources } from '../../gen/runtime/v1/LinuxContainerResources.ts';
import type { UpdateContainerResourcesRequest__Output as Request } from '../../gen/runtime/v1/UpdateContainerResourcesRequest.ts';
import type { UpdateContainerResourcesResponse as Response } from '../../gen/runtime/v1/UpdateContainerResourcesResponse.ts';
import type { Call } from '../../lib/call.ts';
import { during, Fault, innerFault } from '../../lib/fault.ts';
import { Rollback } from '../../lib/rollback.ts';
import type { OciSpec } from '../../spec/oci.ts';
import { applyResources } from '../../spec/resources.ts';
import type { Container } from '../../store/containers.ts';
import type { Services } from '../services.ts';
import { mergeResources } from './merge-resources.ts';

type Needs = Pick<Services, 'config' | 'containerd' | 'containers' | 'facts' | 'locks' | 'log'>;

/**
 * Writes the new limits to the spec, then to the running task; when the task refuses them the spec is
 * put back. A zero leaves that limit as it is.
 */
export async function updateContainerResources(
  needs: Needs,
  request: Request,
  call: Call,
): Promise<Response> {
  const { containers } = needs;
  const { linux } = request;
  if (!linux) throw new Fault('invalid_argument', 'linux resources are required');
  const { id } = containers.mustFind(request.containerId);
  using _held = await needs.locks.take(`container/${id}`, call.signal);
  const container = containers.mustFind(id);
  if (container.state !== 'running' && container.state !== 'created') {
    throw new Fault(
      'failed_precondition',
      `container "${id}" is ${container.state}; its resources cannot be changed`,
    );
  }
  try {
    await update(needs, { container, linux }, call);
  } catch (error) {
    throw innerFault(error);
  }
  return {};
}

async function update(
  needs: Needs,
  { container, linux }: { container: Container; linux: Resources },
  call: Call,
): Promise<void> {
  const { containers, containerd, facts } = needs;
  const { id } = container;
  const object = await containerd.containers.get(id, { signal: call.signal });
  if (!object.spec) throw new Fault('internal', `container "${id}" has no spec in containerd`);
  const before = specFrom(object.spec);
  const after = applyResources(before, linux, { ...facts, ...needs.config });

  await using work = new Rollback((step, err) =>
    needs.log.error({ err, containerId: id, step }, 'rollback stuck'),
  );
  const saveSpec = async (spec: OciSpec, signal: AbortSignal) =>
    await containerd.containers.update({ ...object, spec: specAny(spec) }, ['spec'], { signal });
  work.onFailure('spec', (late) => saveSpec(before, late));
  await saveSpec(after, call.signal);
  if (container.state === 'running') {
    // It may have ended meanwhile, and must not keep the spec from being put back.
    work.onFailure('task', (late) =>
      updateTask(needs, { id, spec: before }, late).catch((err: unknown) => {
        needs.log.warn({ err, containerId: id }, 'could not give a container its old resources back');
      }),
    );
    await updateTask(needs, { id, spec: after }, call.signal);
  }
  // Last, so that a crash before it shows the old ones and the kubelet asks again.
  work.onFailure('status', () => containers.update(id, { resources: container.resources }));
  await containers.setStatus(id, { resources: mergeResources(container.resources, linux) });
  work.commit();
}

async function updateTask(
  { containerd }: Needs,
  { id, spec }: { id: string; spec: OciSpec },
  signal: AbortSignal,
): Promise<void> {
  try {
    await containerd.tasks.update(id, resourcesAny(spec.linux.resources), {}, { signal });
  } catch (error) {
    throw during(`set the resources of container "${id}"`, innerFault(error));
  }
}
