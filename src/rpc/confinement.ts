import type { ContainerConfig__Output as ContainerConfig } from '../gen/runtime/v1/ContainerConfig.ts';
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
import type { SandboxRecord } from '../store/sandboxes.ts';
import type { Services } from './services.ts';

type Needs = Pick<Services, 'abilities' | 'apparmor' | 'config' | 'facts'>;

/** What the security contexts of pods and containers have in common. */
interface Asked {
  readonly privileged: boolean;
  readonly seccomp: SecurityProfile | null;
  readonly seccompProfilePath: string;
  readonly apparmor: SecurityProfile | null;
  readonly apparmorProfile: string;
}

/** Docker's whole default profile has some 20 KiB. */
const MAX_PROFILE_BYTES = 1 << 20;

/** What guards a container. Throws for a profile that cannot be had. */
export async function containerConfinement(
  needs: Needs,
  config: ContainerConfig,
  handler: string,
): Promise<Confinement> {
  return await gather(needs, securityOf(config), { handler, unset: needs.config.unsetSeccompProfile });
}

/** What guards a pause container. It needs next to nothing, so the default profiles never harm it. */
export async function pauseConfinement(
  needs: Needs,
  { config, runtimeHandler: handler }: Pick<SandboxRecord, 'config' | 'runtimeHandler'>,
): Promise<Confinement> {
  const {
    privileged = false,
    seccomp = null,
    seccompProfilePath = '',
    apparmor = null,
  } = config.linux?.securityContext ?? {};
  const asked = { privileged, seccomp, seccompProfilePath, apparmor, apparmorProfile: '' };
  return await gather(needs, asked, { handler, unset: 'runtime/default' });
}

/** Decides on both, reads the seccomp profile and sees to it that the AppArmor profile is loaded. */
async function gather(
  { abilities, apparmor, facts }: Needs,
  asked: Asked,
  { handler, unset }: { handler: string; unset: string },
): Promise<Confinement> {
  const { privileged } = asked;
  const profile = apparmorProfile(profileWish('AppArmor', asked.apparmor, asked.apparmorProfile), {
    privileged,
    able: facts.apparmor,
  });
  const choice = seccompChoice(profileWish('seccomp', asked.seccomp, asked.seccompProfilePath), {
    privileged,
    unable: whyNoFilters(facts, { handler, can: abilities.get(handler)?.seccomp ?? true }),
    unset,
  });
  const [seccomp] = await Promise.all([readFilter(choice), makeSureOf(apparmor, profile)]);
  return { seccomp, apparmor: profile };
}

function whyNoFilters(
  { seccomp }: Pick<Needs['facts'], 'seccomp'>,
  { handler, can }: { handler: string; can: boolean },
): string | null {
  if (!seccomp) return 'this kernel has no filters of system calls';
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
    throw during(
      `read seccomp profile ${path}`,
      error,
      error instanceof Fault ? error.code : 'failed_precondition',
    );
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
