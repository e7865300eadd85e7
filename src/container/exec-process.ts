import type { Containerd } from '../containerd/client.ts';
import type { TypedAny } from '../containerd/typed-any.ts';
import { during, Fault, innerFault } from '../lib/fault.ts';
import { buildExecProcess } from '../spec/exec.ts';
import type { Container, ContainerStore } from '../store/containers.ts';
import { processAny, specFrom } from './oci-any.ts';

/** The container by id, `failed_precondition` when it does not run. */
export function mustRun(containers: ContainerStore, id: string): Container {
  const container = containers.mustFind(id);
  if (container.state !== 'running') {
    throw new Fault('failed_precondition', `container "${container.id}" is ${container.state}, not running`);
  }
  return container;
}

/** The process that `cmd` becomes in a container: like its first one, but for the command. */
export async function execProcess(
  containers: Pick<Containerd['containers'], 'get'>,
  { containerId, cmd, tty }: { containerId: string; cmd: string[]; tty: boolean },
  signal: AbortSignal,
): Promise<TypedAny> {
  const { spec } = await containers.get(containerId, { signal }).catch((error: unknown) => {
    throw during('read the container from containerd', innerFault(error));
  });
  if (!spec) throw new Fault('internal', `container "${containerId}" has no spec in containerd`);
  return processAny(buildExecProcess(specFrom(spec), cmd, tty));
}
