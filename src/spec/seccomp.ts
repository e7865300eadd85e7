import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.ts';
import { Fault } from '../lib/fault.ts';
import type { SpecOption } from './build.ts';

type Profiles = Pick<LinuxContainerSecurityContext__Output, 'seccomp' | 'seccompProfilePath'>;

/**
 * No filter is written yet, whether the profile is RuntimeDefault or Unconfined. A profile that the user wrote
 * is refused with `unimplemented`: to run without it would be a promise broken in silence.
 */
export function withSeccomp({ seccomp, seccompProfilePath }: Profiles): SpecOption {
  return () => {
    const named = seccomp?.profileType === 'Localhost' || seccompProfilePath.startsWith('localhost/');
    if (!named) return;
    const profile = seccomp?.localhostRef || seccompProfilePath;
    throw new Fault(
      'unimplemented',
      `seccomp profile "${profile}": localhost profiles are not supported yet`,
    );
  };
}
