import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.ts';
import { Fault } from '../lib/fault.ts';
import type { SpecOption } from './build.ts';

type Profiles = Pick<LinuxContainerSecurityContext__Output, 'apparmor' | 'apparmorProfile'>;

/** As with seccomp: nothing is confined yet, so a profile that the user names is refused with `unimplemented`. */
export function withAppArmor({ apparmor, apparmorProfile }: Profiles): SpecOption {
  return () => {
    const named = apparmor?.profileType === 'Localhost' || apparmorProfile.startsWith('localhost/');
    if (!named) return;
    const profile = apparmor?.localhostRef || apparmorProfile;
    throw new Fault(
      'unimplemented',
      `AppArmor profile "${profile}": localhost profiles are not supported yet`,
    );
  };
}
