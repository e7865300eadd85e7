import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.ts';
import type { Device__Output } from '../gen/runtime/v1/Device.ts';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.ts';
import type { HostDevice, HostFacts } from '../lib/host-facts.ts';
import type { ImageConfig } from '../lib/image-config.ts';
import type { CdiEdits } from './cdi/edits.ts';
import type { PodUserNamespace } from './id-mappings.ts';
import type { OciRlimit, OciSpec } from './oci.ts';
import type { SeccompFilter } from './seccomp/option.ts';
import type { SelinuxLabels } from './selinux.ts';

/** Which namespace a process gets: the machine's, one of its own, or the one that is pinned at a path. */
export type NamespaceRef = { kind: 'host' } | { kind: 'new' } | { kind: 'path'; path: string };

/** A user as the kernel knows it. `home` is empty where the image does not say. */
export interface ResolvedUser {
  uid: number;
  gid: number;
  /** The primary group comes first. */
  additionalGids: number[];
  home: string;
}

/** A device of the config, with what is at its path on the host. */
export interface FoundDevice {
  device: Device__Output;
  /** Its host path with symbolic links followed. */
  realPath: string;
  /** One at that path, or several below it. */
  devices: HostDevice[];
}

/** What the operator decided for all containers of a runtime handler; see the settings of a runtime. */
export interface HandlerRules {
  privilegedWithoutHostDevices: boolean;
  privilegedAllDevicesAllowed: boolean;
  cgroupWritable: boolean;
  /** Patterns of the keys that are passed on to the runtime. */
  podAnnotations: readonly string[];
  containerAnnotations: readonly string[];
}

/** What the operator decided for all containers; see the settings. */
export interface SpecSettings {
  /** For what the base spec leaves open. */
  defaultUlimits: readonly OciRlimit[];
  tolerateMissingHugetlb: boolean;
}

/** Who owns the nodes of the config's devices; null leaves the owner that the machine has. */
export interface DeviceOwner {
  uid: number | null;
  gid: number | null;
}

/** The kernel's guards around a process. */
export interface Confinement {
  readonly seccomp: SeccompFilter;
  /** The name of a profile that is in the kernel, null for none. */
  readonly apparmor: string | null;
  readonly selinux: SelinuxLabels | null;
}

/** What was made on the machine for one container's mounts. */
export interface ContainerVolumes {
  /** By place in the config's mounts: the path that takes the place of the host path, such as that of an image. */
  prepared: Readonly<Record<number, string>>;
  /** The volumes that the image declares: where in the container, and the directory on the host. */
  declared: readonly { path: string; source: string }[];
}

/** All that a container's spec depends on. Whoever builds it has done every lookup before. */
export interface ContainerSpecInput {
  id: string;
  sandboxId: string;
  config: ContainerConfig__Output;
  sandbox: PodSandboxConfig__Output;
  image: ImageConfig;
  imageName: string;
  namespaces: { network: NamespaceRef; ipc: NamespaceRef; uts: NamespaceRef; pid: NamespaceRef };
  /** Null in the machine's. */
  userns: PodUserNamespace | null;
  user: ResolvedUser;
  /** Paths of the sandbox's files on the host; `shm` is a directory. */
  files: { hostname: string; hosts: string; resolvConf: string; shm: string };
  cgroupsPath: string;
  facts: HostFacts;
  confinement: Confinement;
  handler: HandlerRules;
  /** What the spec starts from. */
  base: OciSpec;
  settings: SpecSettings;
  devices: FoundDevice[];
  /** All that the machine has, for a privileged container. */
  hostDevices: HostDevice[];
  deviceOwner: DeviceOwner;
  /** What its CDI devices change, and what is at the host path of each of their nodes. */
  cdi: { edits: CdiEdits[]; nodes: Record<string, HostDevice | null> };
  /** Each host path of the config's mounts to its real path, symbolic links followed. */
  mountSources: Record<string, string>;
  volumes: ContainerVolumes;
}

/** All that the spec of a sandbox's pause container depends on. It needs no image. */
export interface PauseSpecInput {
  id: string;
  config: PodSandboxConfig__Output;
  /** An absolute path. It is mounted read-only, so that sandboxes may share it. */
  rootPath: string;
  args: string[];
  namespaces: { network: NamespaceRef; ipc: NamespaceRef; uts: NamespaceRef };
  userns: PodUserNamespace | null;
  files: { resolvConf: string; shm: string };
  cgroupsPath: string;
  facts: HostFacts;
  /** Patterns of the keys that are passed on to the runtime. */
  podAnnotations: readonly string[];
  confinement: Confinement;
}
