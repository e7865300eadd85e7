import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { passed, sandboxAnnotations, withAnnotations } from './annotations.ts';
import { withAppArmor } from './apparmor.ts';
import type { SpecOption } from './build.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { withCgroupsPath } from './cgroups-path.ts';
import { withBasicDevices } from './devices.ts';
import { withUserNamespace } from './id-mappings.ts';
import type { PauseSpecInput, ResolvedUser } from './input.ts';
import { needsBoundSys, sharedMemory, systemMounts, withMounts } from './mounts.ts';
import { withHostname, withNamespaces } from './namespaces.ts';
import type { OciMount, OciSpec } from './oci.ts';
import { withPathRules } from './paths.ts';
import { withArgs, withNoNewPrivileges, withUser } from './process.ts';
import { withOomScoreAdj } from './resources.ts';
import { withSeccomp } from './seccomp/option.ts';
import { withSelinux } from './selinux.ts';
import { resolveUser } from './user.ts';

/** The last to be killed when memory runs out but for the node's own daemons: with it the whole pod goes. */
const OOM_SCORE_ADJ = -998;

/** It needs no rights over files or other processes, so it is nobody's unless the pod says whose. */
const NOBODY = { uid: 65535, gid: 65535, additionalGids: [65535], home: '' };

/** The least that the kernel knows. It only sleeps. */
const CPU_SHARES = 2;

/**
 * The OCI spec of a sandbox's pause container: it holds the pod's process namespace, reaps its orphans and may do
 * nothing else.
 */
export function buildPauseSpec(input: PauseSpecInput): OciSpec {
  const { config, namespaces, facts } = input;
  const boundSys = needsBoundSys(input.userns, namespaces.network);
  const mounts = [
    ...systemMounts({
      privileged: false,
      cgroupWritable: false,
      cgroupOptions: facts.cgroupOptions,
      boundSys,
    }),
    ...sandboxFiles(input),
  ];

  return buildSpec(EMPTY_SPEC, [
    withRoot(input.rootPath),
    withArgs(input.args),
    withUser(userOf(config)),
    withNoNewPrivileges(true),
    withSeccomp(input.confinement.seccomp, facts),
    withAppArmor(input.confinement.apparmor),
    withSelinux(input.confinement.selinux),

    withNamespaces({ ...namespaces, pid: { kind: 'new' } }),
    withUserNamespace(input.userns),
    withHostname(namespaces.uts, config.hostname),

    withMounts(mounts, []),
    withPathRules({ privileged: false, ownUsers: false, maskedPaths: [], readonlyPaths: [] }),
    withBasicDevices(),

    withCgroupsPath(input.cgroupsPath),
    withCpuShares(CPU_SHARES),
    withOomScoreAdj(OOM_SCORE_ADJ, facts),
    withAnnotations(passed(config.annotations, input.podAnnotations)),
    withAnnotations(sandboxAnnotations({ id: input.id, config, imageName: '' })),
  ]);
}

/** It has no image, and so no users and groups but by number. */
function userOf({ linux }: PodSandboxConfig__Output): ResolvedUser {
  const { runAsUser = null, runAsGroup = null, supplementalGroups = [] } = linux?.securityContext ?? {};
  if (!runAsUser)
    return { ...NOBODY, additionalGids: [...NOBODY.additionalGids, ...supplementalGroups.map(Number)] };
  return resolveUser(
    {
      runAsUser: BigInt(runAsUser.value),
      runAsUsername: '',
      runAsGroup: runAsGroup ? BigInt(runAsGroup.value) : null,
      supplementalGroups,
      policy: 'Strict',
      imageUser: '',
    },
    null,
    null,
  );
}

function sandboxFiles({ namespaces, files }: PauseSpecInput): OciMount[] {
  const options = ['rbind', 'rprivate', 'ro'];
  return [
    { destination: '/etc/resolv.conf', type: 'bind', source: files.resolvConf, options },
    sharedMemory(namespaces.ipc, files.shm),
  ];
}

function withCpuShares(shares: number): SpecOption {
  return ({ linux }) => {
    linux.resources.cpu = { shares };
  };
}

function withRoot(path: string): SpecOption {
  return ({ root }) => {
    root.path = path;
    root.readonly = true;
  };
}
