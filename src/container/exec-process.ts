import type { Containerd } from '../containerd/client.ts';
import type { TypedAny } from '../containerd/typed-any.ts';
import { during, Fault, innerFault } from '../lib/fault.ts';
import { buildExecProcess } from '../spec/exec.ts';
import type { OciProcess } from '../spec/oci.ts';
import type { Container, ContainerStore } from '../store/containers.ts';
import { processAny, specFrom } from './oci-any.ts';

/** How many containers' first processes are kept, about a kilobyte each. */
const MAX_KEPT = 1_000;

/** The container by id, `failed_precondition` when it does not run. */
export function mustRun(containers: ContainerStore, id: string): Container {
  const container = containers.mustFind(id);
  if (container.state !== 'running') {
    throw new Fault('failed_precondition', `container "${container.id}" is ${container.state}, not running`);
  }
  return container;
}

/** A command to run in a container. */
export interface ExecCommand {
  readonly containerId: string;
  readonly cmd: string[];
  readonly tty: boolean;
}

/** Makes the processes of execs. */
export interface ExecProcesses {
  /** The process that a command becomes in a container: like its first one, but for the command. */
  of(command: ExecCommand, signal: AbortSignal): Promise<TypedAny>;
  /** Tells the first process of a container that was just made, so that containerd need not be asked for it. */
  keep(containerId: string, first: OciProcess): void;
}

/**
 * A container's first process never changes and its id is never used again, so containerd is asked once at most,
 * and not at all for what this daemon made itself.
 */
export function createExecProcesses(containers: Pick<Containerd['containers'], 'get'>): ExecProcesses {
  const kept = new Map<string, OciProcess>();
  const keep = (containerId: string, first: OciProcess) => {
    // The last one used is the last one to go.
    kept.delete(containerId);
    kept.set(containerId, first);
    const [oldest] = kept.keys();
    if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  };
  return {
    keep,
    async of({ containerId, cmd, tty }, signal) {
      const first = kept.get(containerId) ?? (await firstProcess(containers, containerId, signal));
      keep(containerId, first);
      return processAny(buildExecProcess(first, cmd, tty));
    },
  };
}

async function firstProcess(
  containers: Pick<Containerd['containers'], 'get'>,
  containerId: string,
  signal: AbortSignal,
): Promise<OciProcess> {
  const { spec } = await containers.get(containerId, { signal }).catch((error: unknown) => {
    throw during('read the container from containerd', innerFault(error));
  });
  if (!spec) throw new Fault('internal', `container "${containerId}" has no spec in containerd`);
  return specFrom(spec).process;
}
