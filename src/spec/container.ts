import { Fault } from '../lib/fault.ts';
import { containerAnnotations, passed, withAnnotations } from './annotations.ts';
import { withAppArmor } from './apparmor.ts';
import { buildSpec } from './build.ts';
import { withCapabilities } from './capabilities.ts';
import { withCdiEdits } from './cdi/inject.ts';
import { withCgroupsPath } from './cgroups-path.ts';
import { withDevices } from './devices.ts';
import { withUserNamespace } from './id-mappings.ts';
import type { ContainerSpecInput, HandlerRules } from './input.ts';
import {
  configMounts,
  needsBoundSys,
  sandboxMounts,
  systemMounts,
  withMounts,
  withRootfsPropagation,
} from './mounts.ts';
import { withCgroupNamespace, withHostname, withNamespaces } from './namespaces.ts';
import type { OciSpec } from './oci.ts';
import { withPathRules } from './paths.ts';
import {
  processArgs,
  processCwd,
  processEnv,
  withArgs,
  withCwd,
  withEnv,
  withNoNewPrivileges,
  withReadonlyRootfs,
  withTerminal,
  withUser,
} from './process.ts';
import { withResourceClasses } from './resource-classes.ts';
import { withOomScoreAdj, withResources } from './resources.ts';
import { withRlimits } from './rlimits.ts';
import { withSeccomp } from './seccomp/option.ts';
import { hasOwnUsers, refuseMorePrivileges, refuseWindows, securityOf } from './security.ts';
import { withSelinux } from './selinux.ts';

/** The OCI spec of a container. Throws a Fault that names the part of the config that cannot be had. */
export function buildContainerSpec(input: ContainerSpecInput): OciSpec {
  const { config, sandbox, image, namespaces, facts, handler } = input;
  refuseWindows(config);
  refuseMorePrivileges(config, sandbox);
  const security = securityOf(config);
  const { privileged, readonlyRootfs } = security;
  const resources = config.linux?.resources ?? null;
  const hostname = sandbox.hostname || facts.hostname;
  const own = [
    ...systemMounts({
      privileged,
      cgroupWritable: cgroupIsWritable(handler, facts),
      cgroupOptions: privileged ? facts.cgroupOptions : [],
      boundSys: needsBoundSys(input.userns, namespaces.network),
    }),
    ...sandboxMounts({ files: input.files, ipc: namespaces.ipc, readonlyRootfs }),
  ];
  const { mountSources: sources, volumes } = input;
  const configured = configMounts({ mounts: config.mounts, sources, volumes, host: facts.mounts });
  const env = { image: image.env, config: config.envs, hostname, home: input.user.home, tty: config.tty };

  return buildSpec(input.base, [
    withArgs(processArgs(config, image)),
    withEnv(processEnv(env)),
    withCwd(processCwd(config.workingDir, image.workingDir)),
    withTerminal(config.tty),
    withUser(input.user),
    withNoNewPrivileges(security.noNewPrivs),
    withReadonlyRootfs(readonlyRootfs),
    withCapabilities({
      privileged,
      capabilities: security.capabilities,
      maySetResources: facts.mayLowerOomScore,
    }),
    withSeccomp(input.confinement.seccomp, facts),
    withAppArmor(input.confinement.apparmor),
    withSelinux(input.confinement.selinux),

    withNamespaces(namespaces),
    withUserNamespace(input.userns),
    withCgroupNamespace(facts.cgroup, privileged),
    withHostname(namespaces.uts, hostname),

    withMounts(own, configured),
    withRootfsPropagation(configured),
    withPathRules({ ...security, ownUsers: hasOwnUsers(sandbox) }),
    withDevices({
      privileged,
      host: {
        withoutHostDevices: handler.privilegedWithoutHostDevices,
        allAllowed: handler.privilegedAllDevicesAllowed,
      },
      devices: input.devices,
      hostDevices: input.hostDevices,
      owner: input.deviceOwner,
    }),

    withCgroupsPath(input.cgroupsPath),
    withResources(resources, { ...facts, ...input.settings }),
    withResourceClasses({ config, sandbox }, facts),
    withOomScoreAdj(Number(resources?.oomScoreAdj ?? 0), facts),
    withRlimits(input.settings.defaultUlimits),
    withAnnotations(passed(sandbox.annotations, handler.podAnnotations)),
    withAnnotations(passed(config.annotations, handler.containerAnnotations)),
    withAnnotations(
      containerAnnotations({
        sandboxId: input.sandboxId,
        sandbox,
        containerName: config.metadata?.name ?? '',
        imageName: input.imageName,
      }),
    ),

    // The spec is as the CRI has it. What devices change comes after it, and adjustments by NRI plugins will be last.
    withCdiEdits(input.cdi.edits, input.cdi.nodes),
  ]);
}

/** On v1 there is no namespace that would keep a container to its own cgroups. */
function cgroupIsWritable(
  { cgroupWritable }: HandlerRules,
  { cgroup }: ContainerSpecInput['facts'],
): boolean {
  if (cgroupWritable && cgroup === 'v1') {
    throw new Fault(
      'failed_precondition',
      'cgroup_writable of this runtime handler needs cgroup v2, and this machine has v1',
    );
  }
  return cgroupWritable;
}
