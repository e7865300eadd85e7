import { specFrom } from '../../container/oci-any.ts';
import type { ContainerStatusRequest__Output as Request } from '../../gen/runtime/v1/ContainerStatusRequest.ts';
import type { ContainerStatusResponse as Response } from '../../gen/runtime/v1/ContainerStatusResponse.ts';
import type { Call } from '../../lib/call.ts';
import { during, innerFault } from '../../lib/fault.ts';
import type { Container } from '../../store/containers.ts';
import type { Services } from '../services.ts';
import { toStatus } from './status.ts';

type Needs = Pick<Services, 'containerd' | 'containers' | 'images'>;

export async function containerStatus(needs: Needs, request: Request, call: Call): Promise<Response> {
  const container = needs.containers.mustFind(request.containerId);
  return {
    status: toStatus(container, needs.images.store),
    info: request.verbose ? { info: JSON.stringify(await verboseInfo(needs, container, call)) } : {},
  };
}

async function verboseInfo(needs: Needs, container: Container, { signal }: Call): Promise<object> {
  const { id, sandboxId, pid, state, snapshotter, runtimeHandler, config } = container;
  const { spec, runtime } = await needs.containerd.containers.get(id, { signal }).catch((error: unknown) => {
    throw during('read the container from containerd', innerFault(error));
  });
  return {
    sandboxID: sandboxId,
    pid,
    state,
    snapshotKey: id,
    snapshotter,
    runtimeType: runtime.name,
    runtimeHandler,
    config: {
      ...config,
      envs: config.envs.map(({ key, value }) => ({ key, value: value.toString('utf8') })),
    },
    runtimeSpec: spec && specFrom(spec),
  };
}
