import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.ts';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.ts';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { Fault } from '../lib/fault.ts';

type Security = Pick<
  LinuxContainerSecurityContext__Output,
  | 'privileged'
  | 'readonlyRootfs'
  | 'noNewPrivs'
  | 'capabilities'
  | 'maskedPaths'
  | 'readonlyPaths'
  | 'selinuxOptions'
  | 'seccomp'
  | 'seccompProfilePath'
  | 'apparmor'
  | 'apparmorProfile'
>;

/** What a config without a security context means. */
const UNSAID: Security = {
  privileged: false,
  readonlyRootfs: false,
  noNewPrivs: false,
  capabilities: null,
  maskedPaths: [],
  readonlyPaths: [],
  selinuxOptions: null,
  seccomp: null,
  seccompProfilePath: '',
  apparmor: null,
  apparmorProfile: '',
};

/** Refuses what only another system could honour. */
export function refuseWindows({ windows }: { windows: object | null }): void {
  if (windows) throw new Fault('invalid_argument', 'the config has a windows section, and this is Linux');
}

/** Refuses a container that wants more than its pod was admitted with. */
export function refuseMorePrivileges(config: ContainerConfig__Output, pod: PodSandboxConfig__Output): void {
  if (securityOf(config).privileged && pod.linux?.securityContext?.privileged !== true) {
    throw new Fault(
      'invalid_argument',
      'a privileged container is asked for in a pod sandbox that is not privileged',
    );
  }
}

/** Whether a pod's ids are not the machine's. */
export function hasOwnUsers({ linux }: PodSandboxConfig__Output): boolean {
  return linux?.securityContext?.namespaceOptions?.usernsOptions?.mode === 'POD';
}

/** The security context that a container's spec follows. */
export function securityOf({ linux }: ContainerConfig__Output): Security {
  return linux?.securityContext ?? UNSAID;
}
