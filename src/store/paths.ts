import type { Config } from '../config/schema.ts';

/** Where everything of ours lies on disk. The one place that knows the layout. */
export interface Paths {
  /** One directory per sandbox: its namespace pins, files and /dev/shm. A reboot may take it. */
  sandboxState(id: string): string;
  /** FIFOs of a container and of its execs. */
  containerState(id: string): string;
  execState(containerId: string, execId: string): string;
  /** What is mounted on the machine for a container's mounts. */
  containerMounts(id: string): string;
  /** What CheckpointContainer collects before it packs it; there only while it works. */
  containerCheckpoint(id: string): string;
  /** The directories of the volumes that a container's image declares. They outlive a reboot. */
  containerVolumes(id: string): string;
  /** What must outlive a reboot: one directory with a status file per sandbox and container. */
  readonly sandboxRoots: string;
  readonly containerRoots: string;
  /** What CNI plugins were asked and answered, one file per sandbox. */
  readonly cniCache: string;
}

/** On each snapshot of a container: the root of the cristal that it is of, as several may share a containerd. */
export const ROOT_LABEL = 'io.cristal.root';

/** The socket that tells what the daemon does, null when there is to be none. */
export function debugSocket({ state, tracing }: Pick<Config, 'state' | 'tracing'>): string | null {
  if (tracing.debugSocket === '') return null;
  return tracing.debugSocket === 'auto' ? `${state}/debug.sock` : tracing.debugSocket;
}

export function createPaths({ root, state }: Pick<Config, 'root' | 'state'>): Paths {
  return {
    sandboxState: (id) => `${state}/sandboxes/${id}`,
    containerState: (id) => `${state}/containers/${id}`,
    execState: (containerId, execId) => `${state}/containers/${containerId}/exec/${execId}`,
    containerMounts: (id) => `${state}/mounts/${id}`,
    containerCheckpoint: (id) => `${root}/containers/${id}/checkpoint`,
    containerVolumes: (id) => `${root}/containers/${id}/volumes`,
    sandboxRoots: `${root}/sandboxes`,
    containerRoots: `${root}/containers`,
    cniCache: `${root}/cni`,
  };
}
