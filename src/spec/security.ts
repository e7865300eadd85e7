import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.ts';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.ts';

type Security = Pick<
  LinuxContainerSecurityContext__Output,
  | 'privileged'
  | 'readonlyRootfs'
  | 'noNewPrivs'
  | 'capabilities'
  | 'maskedPaths'
  | 'readonlyPaths'
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
  seccomp: null,
  seccompProfilePath: '',
  apparmor: null,
  apparmorProfile: '',
};

/** The security context that a container's spec follows. */
export function securityOf({ linux }: ContainerConfig__Output): Security {
  return linux?.securityContext ?? UNSAID;
}
