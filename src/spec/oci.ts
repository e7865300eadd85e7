/**
 * The OCI runtime spec, as far as cristal writes it (runtime-spec, config.md and config-linux.md). These are the
 * names of the JSON file, so absence is a missing field and not null.
 */
export interface OciSpec {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly: boolean };
  hostname?: string;
  mounts: OciMount[];
  annotations: Record<string, string>;
  hooks?: Partial<Record<HookName, OciHook[]>>;
  linux: OciLinux;
}

export type HookName =
  | 'prestart'
  | 'createRuntime'
  | 'createContainer'
  | 'startContainer'
  | 'poststart'
  | 'poststop';

export interface OciHook {
  path: string;
  args?: string[];
  env?: string[];
  /** Seconds. */
  timeout?: number;
}

export interface OciProcess {
  terminal: boolean;
  user: OciUser;
  args: string[];
  /** `NAME=value` each. */
  env: string[];
  cwd: string;
  capabilities: OciCapabilities;
  rlimits?: OciRlimit[];
  noNewPrivileges: boolean;
  oomScoreAdj?: number;
  apparmorProfile?: string;
  selinuxLabel?: string;
}

export interface OciUser {
  uid: number;
  gid: number;
  additionalGids: number[];
}

export interface OciCapabilities {
  bounding: string[];
  effective: string[];
  inheritable: string[];
  permitted: string[];
  ambient: string[];
}

export interface OciRlimit {
  type: string;
  soft: number;
  hard: number;
}

export interface OciMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

export interface OciLinux {
  namespaces: OciNamespace[];
  cgroupsPath: string;
  resources: OciResources;
  devices: OciDevice[];
  maskedPaths: string[];
  readonlyPaths: string[];
  intelRdt?: OciIntelRdt;
  rootfsPropagation?: 'rslave' | 'rshared';
  /** Of the user namespace that it joins. */
  uidMappings?: OciIdMapping[];
  gidMappings?: OciIdMapping[];
  seccomp?: OciSeccomp;
  /** SELinux label of the files that the runtime mounts. */
  mountLabel?: string;
}

/** config-linux.md, "Seccomp". Actions, operators and architectures have the names of libseccomp. */
export interface OciSeccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: OciSyscallRule[];
}

export interface OciSyscallRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: OciSeccompArg[];
}

export interface OciSeccompArg {
  index: number;
  value: number;
  /** What the masked value has to be, for SCMP_CMP_MASKED_EQ, whose `value` is the mask. */
  valueTwo?: number;
  op: string;
}

/** A class of Intel's Resource Director Technology. */
export interface OciIntelRdt {
  closID?: string;
  l3CacheSchema?: string;
  memBwSchema?: string;
  enableCMT?: boolean;
  enableMBM?: boolean;
}

export interface OciIdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface OciNamespace {
  type: 'pid' | 'network' | 'ipc' | 'uts' | 'mount' | 'cgroup' | 'user';
  path?: string;
}

export interface OciResources {
  devices?: OciDeviceRule[];
  memory?: {
    /** Bytes. */
    limit?: number;
    /** Bytes of memory and swap together. */
    swap?: number;
  };
  cpu?: {
    shares?: number;
    /** Microseconds per period; below zero is unlimited. */
    quota?: number;
    /** Microseconds. */
    period?: number;
    cpus?: string;
    mems?: string;
  };
  hugepageLimits?: { pageSize: string; limit: number }[];
  /** Files of cgroup v2 and what to write into them. */
  unified?: Record<string, string>;
}

export interface OciDeviceRule {
  allow: boolean;
  type?: 'c' | 'b';
  major?: number;
  minor?: number;
  access: string;
}

export interface OciDevice {
  path: string;
  type: 'c' | 'b' | 'u' | 'p';
  major: number;
  minor: number;
  fileMode?: number;
  uid: number;
  gid: number;
}
