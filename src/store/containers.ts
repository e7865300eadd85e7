import type { Containers } from '../containerd/containers.ts';
import type { ContainerConfig__Output as ContainerConfig } from '../gen/runtime/v1/ContainerConfig.ts';
import type { ContainerMetadata__Output as ContainerMetadata } from '../gen/runtime/v1/ContainerMetadata.ts';
import type { ContainerUser__Output as ContainerUser } from '../gen/runtime/v1/ContainerUser.ts';
import type { LinuxContainerResources__Output as LinuxContainerResources } from '../gen/runtime/v1/LinuxContainerResources.ts';
import type { Signal__Output as Signal } from '../gen/runtime/v1/Signal.ts';
import type { Paths } from './paths.ts';
import { RecordStore } from './record-store.ts';

/**
 *   creating -> created -> running -> exited -> (removing) -> gone
 *                   \-----------------^  a start that failed
 *
 * `creating` and `removing` are written down before acting and never shown: recovery undoes the one
 * and finishes the other. `unknown` is one that recovery could not make sense of.
 */
export type ContainerState = 'creating' | 'created' | 'running' | 'exited' | 'removing' | 'unknown';

/** What never changes, kept as an extension on containerd's container object. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly runtimeHandler: string;
  /** The digest of the image's config, by which the kubelet knows images. */
  readonly imageId: string;
  /** `repo@digest`, or the id where the image has no such name. */
  readonly imageRef: string;
  /** By place in the config's mounts: what the image of an image volume was resolved to. */
  readonly volumeRefs: Readonly<Record<number, string>>;
  /** Empty when the config names none. */
  readonly logPath: string;
  /** What StopContainer sends first. */
  readonly stopSignal: Signal;
  readonly user: ContainerUser | null;
  readonly snapshotter: string;
  /** Relative to the root of the cgroup hierarchies; as in the OCI spec. */
  readonly cgroupsPath: string;
  /** Nanoseconds since 1970. */
  readonly createdAt: bigint;
}

/** What changes, kept in a small file that is written whole. */
export interface ContainerStatus {
  readonly state: ContainerState;
  /** 0 while it does not run. */
  readonly pid: number;
  /** Nanoseconds since 1970; 0 before. */
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  /** Completed, Error, OOMKilled, StartError or Unknown once it exited; else empty. */
  readonly reason: string;
  readonly message: string;
  /** As last set by CreateContainer or UpdateContainerResources. */
  readonly resources: LinuxContainerResources | null;
}

export interface Container extends ContainerRecord, ContainerStatus {}

/** Before anything happened. */
export const NEW_STATUS: ContainerStatus = {
  state: 'creating',
  pid: 0,
  startedAt: 0n,
  finishedAt: 0n,
  exitCode: 0,
  reason: '',
  message: '',
  resources: null,
};

/** The name that a container is reserved by: the identity that the kubelet retries with. */
export function containerName(metadata: ContainerMetadata, sandboxId: string): string {
  return [metadata.name, sandboxId, metadata.attempt].join('_');
}

export type ContainerStore = RecordStore<ContainerRecord, ContainerStatus>;

export function createContainerStore(
  objects: Pick<Containers, 'create' | 'delete'>,
  paths: Paths,
): ContainerStore {
  return new RecordStore<ContainerRecord, ContainerStatus>(
    {
      kind: 'container',
      extension: 'io.cristal.container',
      recordKeys: [
        'id',
        'name',
        'sandboxId',
        'config',
        'runtimeHandler',
        'imageId',
        'imageRef',
        'volumeRefs',
        'logPath',
        'stopSignal',
        'user',
        'snapshotter',
        'cgroupsPath',
        'createdAt',
      ],
      statusKeys: ['state', 'pid', 'startedAt', 'finishedAt', 'exitCode', 'reason', 'message', 'resources'],
      root: paths.containerRoots,
    },
    objects,
  );
}

/** The containers of one sandbox, as they are now. */
export function containersOf(containers: Pick<ContainerStore, 'list'>, sandboxId: string): Container[] {
  return containers.list().filter((container) => container.sandboxId === sandboxId);
}
