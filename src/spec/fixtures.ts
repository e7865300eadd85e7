/** Inputs of this folder's tests: a small ordinary pod on a small ordinary machine, with overrides. */

import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.ts';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.ts';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.ts';
import type { LinuxPodSandboxConfig__Output } from '../gen/runtime/v1/LinuxPodSandboxConfig.ts';
import type { LinuxSandboxSecurityContext__Output } from '../gen/runtime/v1/LinuxSandboxSecurityContext.ts';
import type { Mount__Output } from '../gen/runtime/v1/Mount.ts';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.ts';
import type { HostDevice, HostFacts, MountInfo } from '../lib/host-facts.ts';
import type { ImageConfig } from '../lib/image-config.ts';
import { EMPTY_SPEC } from './build.ts';
import type { Confinement, ContainerSpecInput, NamespaceRef, PauseSpecInput } from './input.ts';

const POD_STATE = '/run/cristal/pods/web';

export const NEW: NamespaceRef = { kind: 'new' };
export const HOST: NamespaceRef = { kind: 'host' };

export const UNCONFINED: Confinement = { seccomp: { kind: 'none' }, apparmor: null, selinux: null };

export function pinned(name: string): NamespaceRef {
  return { kind: 'path', path: `${POD_STATE}/${name}` };
}

/** Of a small machine. */
export const HOST_DEVICES: HostDevice[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 },
  { path: '/dev/ptmx', type: 'c', major: 5, minor: 2, mode: 0o666, uid: 0, gid: 0 },
  { path: '/dev/snd/timer', type: 'c', major: 116, minor: 33, mode: 0o660, uid: 0, gid: 29 },
  { path: '/dev/snd/seq', type: 'c', major: 116, minor: 1, mode: 0o660, uid: 0, gid: 29 },
  { path: '/dev/vda', type: 'b', major: 254, minor: 0, mode: 0o660, uid: 0, gid: 6 },
];

export function hostFacts(over: Partial<HostFacts> = {}): HostFacts {
  return {
    cgroup: 'v2',
    cgroupOptions: [],
    oomScoreAdj: 0,
    mayLowerOomScore: true,
    mounts: [hostMount('/', 'shared'), hostMount('/srv', 'slave'), hostMount('/srv/private', 'private')],
    hugepageSizes: ['2MB'],
    apparmorInKernel: false,
    apparmor: false,
    selinux: null,
    seccomp: true,
    kernelRelease: '6.1.0',
    arch: 'x64',
    swap: true,
    rdt: false,
    hostname: 'node-1',
    kernel: { mountAttributes: true, userNamespaces: true },
    ...over,
  };
}

export function hostMount(mountPoint: string, propagation: MountInfo['propagation']): MountInfo {
  return {
    id: 1,
    parentId: 0,
    device: '254:0',
    root: '/',
    mountPoint,
    options: ['rw'],
    propagation,
    fsType: 'ext4',
    source: '/dev/vda',
    superOptions: ['rw'],
  };
}

export function imageConfig(over: Partial<ImageConfig> = {}): ImageConfig {
  return {
    env: ['PATH=/bin', 'LANG=C'],
    entrypoint: ['/entry'],
    cmd: ['serve'],
    workingDir: '/app',
    user: '',
    stopSignal: '',
    volumes: [],
    labels: {},
    ...over,
  };
}

export function securityContext(
  over: Partial<LinuxContainerSecurityContext__Output> = {},
): LinuxContainerSecurityContext__Output {
  return {
    capabilities: null,
    privileged: false,
    namespaceOptions: null,
    selinuxOptions: null,
    runAsUser: null,
    runAsUsername: '',
    readonlyRootfs: false,
    supplementalGroups: [],
    apparmorProfile: '',
    seccompProfilePath: '',
    noNewPrivs: false,
    runAsGroup: null,
    maskedPaths: [],
    readonlyPaths: [],
    seccomp: null,
    apparmor: null,
    supplementalGroupsPolicy: 'Merge',
    ...over,
  };
}

export function criResources(
  over: Partial<LinuxContainerResources__Output> = {},
): LinuxContainerResources__Output {
  return {
    cpuPeriod: '0',
    cpuQuota: '0',
    cpuShares: '0',
    memoryLimitInBytes: '0',
    oomScoreAdj: '0',
    cpusetCpus: '',
    cpusetMems: '',
    hugepageLimits: [],
    unified: {},
    memorySwapLimitInBytes: '0',
    ...over,
  };
}

export function criMount(over: Partial<Mount__Output> = {}): Mount__Output {
  return {
    containerPath: '/data',
    hostPath: '/var/data',
    readonly: false,
    selinuxRelabel: false,
    propagation: 'PROPAGATION_PRIVATE',
    uidMappings: [],
    gidMappings: [],
    recursiveReadOnly: false,
    image: null,
    imageSubPath: '',
    mountOptions: [],
    ...over,
  };
}

export function containerConfig(over: Partial<ContainerConfig__Output> = {}): ContainerConfig__Output {
  return {
    metadata: { name: 'app', attempt: 0 },
    image: null,
    command: [],
    args: [],
    workingDir: '',
    envs: [{ key: 'MODE', value: Buffer.from('test') }],
    mounts: [],
    devices: [],
    labels: {},
    annotations: {},
    logPath: 'app/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    linux: { resources: criResources(), securityContext: securityContext() },
    windows: null,
    CDIDevices: [],
    stopSignal: 'SIGNAL_RUNTIME_DEFAULT',
    ...over,
  };
}

export function sandboxConfig(over: Partial<PodSandboxConfig__Output> = {}): PodSandboxConfig__Output {
  return {
    metadata: { name: 'web', uid: 'uid-1', namespace: 'default', attempt: 0 },
    hostname: 'web-0',
    logDirectory: '/var/log/pods/default_web_uid-1',
    dnsConfig: null,
    portMappings: [],
    labels: {},
    annotations: {},
    linux: null,
    windows: null,
    ...over,
  };
}

export function sandboxLinux(
  security: Partial<LinuxSandboxSecurityContext__Output>,
): LinuxPodSandboxConfig__Output {
  return {
    cgroupParent: '',
    securityContext: {
      namespaceOptions: null,
      selinuxOptions: null,
      runAsUser: null,
      readonlyRootfs: false,
      supplementalGroups: [],
      privileged: false,
      seccompProfilePath: '',
      runAsGroup: null,
      seccomp: null,
      apparmor: null,
      supplementalGroupsPolicy: 'Merge',
      ...security,
    },
    sysctls: {},
    overhead: null,
    resources: null,
  };
}

export function containerInput(over: Partial<ContainerSpecInput> = {}): ContainerSpecInput {
  return {
    id: 'c1',
    sandboxId: 'p1',
    config: containerConfig(),
    sandbox: sandboxConfig(),
    image: imageConfig(),
    imageName: 'registry.example/app:1',
    namespaces: { network: pinned('net'), ipc: pinned('ipc'), uts: pinned('uts'), pid: NEW },
    userns: null,
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    files: {
      hostname: `${POD_STATE}/hostname`,
      hosts: `${POD_STATE}/hosts`,
      resolvConf: `${POD_STATE}/resolv.conf`,
      shm: `${POD_STATE}/shm`,
    },
    cgroupsPath: '/kubepods/pod1/c1',
    facts: hostFacts(),
    confinement: UNCONFINED,
    handler: {
      privilegedWithoutHostDevices: false,
      privilegedAllDevicesAllowed: false,
      cgroupWritable: false,
      podAnnotations: [],
      containerAnnotations: [],
    },
    base: EMPTY_SPEC,
    settings: { defaultUlimits: [], tolerateMissingHugetlb: true },
    devices: [],
    hostDevices: HOST_DEVICES,
    deviceOwner: { uid: null, gid: null },
    cdi: { edits: [], nodes: {} },
    mountSources: {},
    volumes: { prepared: {}, declared: [] },
    ...over,
  };
}

export function pauseInput(over: Partial<PauseSpecInput> = {}): PauseSpecInput {
  return {
    id: 'p1',
    config: sandboxConfig(),
    rootPath: '/run/cristal/pause',
    args: ['/pause'],
    namespaces: { network: pinned('net'), ipc: pinned('ipc'), uts: pinned('uts') },
    userns: null,
    files: { resolvConf: `${POD_STATE}/resolv.conf`, shm: `${POD_STATE}/shm` },
    cgroupsPath: '/kubepods/pod1/p1',
    facts: hostFacts(),
    podAnnotations: [],
    confinement: UNCONFINED,
    ...over,
  };
}
