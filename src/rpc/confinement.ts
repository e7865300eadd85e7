import type { ContainerConfig__Output as ContainerConfig } from '../gen/runtime/v1/ContainerConfig.ts';
import type { SELinuxOption__Output as SelinuxOption } from '../gen/runtime/v1/SELinuxOption.ts';
import type { SecurityProfile__Output as SecurityProfile } from '../gen/runtime/v1/SecurityProfile.ts';
import { ownApparmorProfile } from '../host/apparmor.ts';
import { readRegularFile } from '../host/regular-file.ts';
import { during, Fault } from '../lib/fault.ts';
import { apparmorProfile, DEFAULT_APPARMOR_PROFILE, defaultApparmorProfile } from '../spec/apparmor.ts';
import type { Confinement } from '../spec/input.ts';
import type { SeccompChoice } from '../spec/seccomp/choice.ts';
import { seccompChoice } from '../spec/seccomp/choice.ts';
import type { SeccompFilter } from '../spec/seccomp/option.ts';
import { securityOf } from '../spec/security.ts';
import { profileWish } from '../spec/security-profile.ts';
import type { SelinuxLabels } from '../spec/selinux.ts';
import { asksForLabels, selinuxLabels } from '../spec/selinux.ts';
import type { SandboxRecord } from '../store/sandboxes.ts';
import type { Services } from './services.ts';

type Needs = Pick<Services, 'abilities' | 'apparmor' | 'config' | 'facts'>;
type Pod = Pick<SandboxRecord, 'id' | 'config' | 'runtimeHandler'>;

/** What a process asks of the kernel's guards. */
interface Asked {
  readonly privileged: boolean;
  readonly seccomp: SecurityProfile | null;
  readonly seccompProfilePath: string;
  readonly apparmor: SecurityProfile | null;
  readonly apparmorProfile: string;
  readonly selinuxOptions: SelinuxOption | null;
}

/** Docker's whole default profile has some 20 KiB. */
const MAX_PROFILE_BYTES = 1 << 20;

/** What guards a container. Throws for what is asked for and cannot be had. */
export async function containerConfinement(
  needs: Needs,
  config: ContainerConfig,
  pod: Pod,
): Promise<Confinement> {
  return await gather(needs, pod, { ...securityOf(config), unset: needs.config.unsetSeccompProfile });
}

/** What guards a pause container. It needs next to nothing, so the default profiles never harm it. */
export async function pauseConfinement(needs: Needs, pod: Pod): Promise<Confinement> {
  const security = pod.config.linux?.securityContext;
  return await gather(needs, pod, {
    privileged: security?.privileged ?? false,
    seccomp: security?.seccomp ?? null,
    seccompProfilePath: security?.seccompProfilePath ?? '',
    apparmor: security?.apparmor ?? null,
    apparmorProfile: '',
    selinuxOptions: null,
    unset: 'runtime/default',
  });
}

/** Decides on everything, reads the seccomp profile and sees to it that AppArmor's is loaded. */
async function gather(needs: Needs, pod: Pod, asked: Asked & { unset: string }): Promise<Confinement> {
  const { facts, apparmor } = needs;
  const { privileged, unset } = asked;
  const selinux = labelsOf(needs, pod, asked);
  const profile = apparmorProfile(profileWish('AppArmor', asked.apparmor, asked.apparmorProfile), {
    privileged,
    able: facts.apparmor,
  });
  const choice = seccompChoice(profileWish('seccomp', asked.seccomp, asked.seccompProfilePath), {
    privileged,
    unable: whyNoFilters(needs, pod.runtimeHandler),
    unset,
  });
  const [seccomp] = await Promise.all([readFilter(choice), makeSureOf(apparmor, profile)]);
  return { seccomp, apparmor: profile, selinux };
}

/** Null where there are none to give. Throws `failed_precondition` where some are asked for all the same. */
function labelsOf(
  { config, facts }: Needs,
  { id, config: { linux } }: Pod,
  { privileged, selinuxOptions: container }: Asked,
): SelinuxLabels | null {
  if (config.selinux === 'off') return null;
  const pod = linux?.securityContext?.selinuxOptions ?? null;
  if (facts.selinux) return selinuxLabels({ pod, container, podId: id, privileged }, facts.selinux);
  if (privileged || !(asksForLabels(pod) || asksForLabels(container))) return null;
  throw new Fault(
    'failed_precondition',
    'selinux_options ask for labels, but this machine has no SELinux; selinux = "off" in the settings ignores them',
  );
}

function whyNoFilters({ abilities, facts }: Needs, handler: string): string | null {
  if (!facts.seccomp) return 'this kernel has no filters of system calls';
  const can = abilities.get(handler)?.seccomp ?? true;
  return can ? null : `the runtime of handler "${handler}" was built without seccomp`;
}

async function readFilter(choice: SeccompChoice): Promise<SeccompFilter> {
  if (choice.kind !== 'localhost') return choice;
  const { path } = choice;
  try {
    const text = await readRegularFile(path, MAX_PROFILE_BYTES);
    if (text === null) throw new Fault('failed_precondition', 'it is no regular file');
    return { ...choice, text };
  } catch (error) {
    const code = error instanceof Fault ? error.code : 'failed_precondition';
    throw during(`read seccomp profile ${path}`, error, code);
  }
}

/** Ours is loaded when it is first needed, and again when somebody took it out of the kernel. */
async function makeSureOf(apparmor: Needs['apparmor'], profile: string | null): Promise<void> {
  if (profile === null) return;
  if (profile === DEFAULT_APPARMOR_PROFILE) {
    await apparmor.ensure(profile, async () =>
      defaultApparmorProfile({ ...(await apparmor.includes()), daemon: await ownApparmorProfile() }),
    );
  } else if (!(await apparmor.isLoaded(profile))) {
    throw new Fault('failed_precondition', `AppArmor profile "${profile}" is not loaded on this node`);
  }
}
