import type { Containers } from '../containerd/containers.ts';
import type { LinuxContainerResources__Output as LinuxContainerResources } from '../gen/runtime/v1/LinuxContainerResources.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import type { PodSandboxMetadata__Output as PodSandboxMetadata } from '../gen/runtime/v1/PodSandboxMetadata.ts';
import type { Paths } from './paths.ts';
import { RecordStore } from './record-store.ts';

/**
 * creating -> ready -> notready, and `unknown` for one whose rollback or recovery stuck:
 * it is listed as not ready so that the kubelet removes it, which tries again to free what is left.
 */
export type SandboxState = 'creating' | 'ready' | 'notready' | 'unknown';

/** What never changes, kept as an extension on containerd's container object. */
export interface SandboxRecord {
  readonly id: string;
  readonly name: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  /** Nanoseconds since 1970. */
  readonly createdAt: bigint;
  readonly holder: 'pinned' | 'pause';
}

/** What changes, kept in a small file that is written whole. */
export interface SandboxStatus {
  readonly state: SandboxState;
  /** Primary first, without prefix length. Empty on the host's network. */
  readonly ips: readonly string[];
  /** Of the pause container; 0 for a sandbox without a process. */
  readonly pid: number;
  /** As last told by UpdatePodSandboxResources; null where nothing was, then those of the config hold. */
  readonly updatedResources: UpdatedResources | null;
}

/** Limits of a pod as a whole; null where they were not told. */
export interface UpdatedResources {
  readonly overhead: LinuxContainerResources | null;
  readonly resources: LinuxContainerResources | null;
}

export interface Sandbox extends SandboxRecord, SandboxStatus {}

/** Before anything happened. */
export const NEW_SANDBOX_STATUS: SandboxStatus = {
  state: 'creating',
  ips: [],
  pid: 0,
  updatedResources: null,
};

/** The name that a sandbox is reserved by: the identity that the kubelet retries with. */
export function sandboxName(metadata: PodSandboxMetadata): string {
  return [metadata.name, metadata.namespace, metadata.uid, metadata.attempt].join('_');
}

export function usesHostNetwork(config: PodSandboxConfig): boolean {
  return config.linux?.securityContext?.namespaceOptions?.network === 'NODE';
}

export type SandboxStore = RecordStore<SandboxRecord, SandboxStatus>;

export function createSandboxStore(
  objects: Pick<Containers, 'create' | 'delete'>,
  paths: Paths,
): SandboxStore {
  return new RecordStore<SandboxRecord, SandboxStatus>(
    {
      kind: 'pod sandbox',
      extension: 'io.cristal.sandbox',
      recordKeys: ['id', 'name', 'config', 'runtimeHandler', 'createdAt', 'holder'],
      statusKeys: ['state', 'ips', 'pid'],
      laterStatusKeys: ['updatedResources'],
      root: paths.sandboxRoots,
    },
    objects,
  );
}
