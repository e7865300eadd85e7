import type { NamedRuntime } from '../../config/runtimes.ts';
import type { MadeVolumes } from '../../container/volumes.ts';
import type { ContainerConfig__Output as ContainerConfig } from '../../gen/runtime/v1/ContainerConfig.ts';
import type { Image } from '../../image/image.ts';
import { during, Fault } from '../../lib/fault.ts';
import { nowNs } from '../../lib/time.ts';
import type { SandboxFiles } from '../../sandbox/files.ts';
import { sandboxFiles } from '../../sandbox/files.ts';
import { containerNamespaces, userNamespaceOf } from '../../sandbox/namespaces.ts';
import { pinsDir } from '../../sandbox/release.ts';
import { cgroupsPath } from '../../spec/cgroups-path.ts';
import { buildContainerSpec } from '../../spec/container.ts';
import type { ContainerSpecInput } from '../../spec/input.ts';
import type { OciSpec } from '../../spec/oci.ts';
import { criSignal } from '../../spec/signal.ts';
import { resolveUser } from '../../spec/user.ts';
import type { ContainerRecord } from '../../store/containers.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import { usesSystemd } from '../runtime-options.ts';
import type { Services } from '../services.ts';
import type { Machine } from './machine.ts';

export type DraftNeeds = Pick<
  Services,
  'cgroupDriver' | 'config' | 'containers' | 'facts' | 'paths' | 'sandboxes'
>;

interface Draft {
  readonly record: ContainerRecord;
  readonly spec: OciSpec;
  readonly labels: Record<string, string>;
  /** Of the sandbox that the container shares with others. */
  readonly files: SandboxFiles;
}

/** Decides all that a container is: its record and its OCI spec. */
export function draftContainer(
  needs: DraftNeeds,
  order: {
    id: string;
    name: string;
    config: ContainerConfig;
    sandbox: Sandbox;
    image: Image;
    runtime: NamedRuntime;
    snapshotter: string;
    volumes: MadeVolumes;
  },
  machine: Machine,
): Draft {
  const { id, name, config, sandbox, image, runtime, snapshotter } = order;
  const user = userOf(config, image, machine);
  const driver = usesSystemd(runtime, needs.cgroupDriver) ? 'systemd' : 'cgroupfs';
  const cgroups = cgroupsPath({ parent: sandbox.config.linux?.cgroupParent ?? '', id, driver });
  const files = sandboxFiles(needs.paths.sandboxState(sandbox.id), sandbox.config);
  const spec = buildContainerSpec({
    id,
    sandboxId: sandbox.id,
    config,
    sandbox: sandbox.config,
    image: image.config,
    imageName: image.repoTags[0] ?? config.image?.image ?? image.id,
    namespaces: namespacesOf(needs, order),
    userns: userNamespaceOf(sandbox.config, pinsDir(needs.paths.sandboxState(sandbox.id))),
    user,
    files,
    cgroupsPath: cgroups,
    facts: { ...needs.facts, mounts: machine.mounts },
    confinement: machine.confinement,
    handler: runtime,
    base: machine.base,
    settings: needs.config,
    devices: machine.devices,
    hostDevices: machine.hostDevices,
    cdi: machine.cdi,
    deviceOwner: deviceOwnerOf(needs, config),
    mountSources: machine.mountSources,
    volumes: order.volumes,
  });
  const { logDirectory } = sandbox.config;
  const { uid, gid, additionalGids } = user;
  const record: ContainerRecord = {
    id,
    name,
    sandboxId: sandbox.id,
    config,
    runtimeHandler: sandbox.runtimeHandler,
    imageId: image.id,
    imageRef: image.repoDigests[0] ?? image.id,
    volumeRefs: order.volumes.imageRefs,
    logPath: config.logPath === '' || logDirectory === '' ? '' : `${logDirectory}/${config.logPath}`,
    stopSignal: stopSignalOf(config, image),
    user: {
      linux: { uid: String(uid), gid: String(gid), supplementalGroups: additionalGids.map(String) },
    },
    snapshotter,
    cgroupsPath: cgroups,
    createdAt: nowNs(),
  };
  return { record, spec, files, labels: { ...config.labels, 'io.cri-containerd.kind': 'container' } };
}

function userOf(
  config: ContainerConfig,
  image: Image,
  { passwd, group }: Machine,
): ContainerSpecInput['user'] {
  const security = config.linux?.securityContext;
  return resolveUser(
    {
      runAsUser: security?.runAsUser ? BigInt(security.runAsUser.value) : null,
      runAsUsername: security?.runAsUsername ?? '',
      runAsGroup: security?.runAsGroup ? BigInt(security.runAsGroup.value) : null,
      supplementalGroups: security?.supplementalGroups ?? [],
      policy: security?.supplementalGroupsPolicy ?? 'Merge',
      imageUser: image.config.user,
    },
    passwd,
    group,
  );
}

/** With the setting that asks for it, whoever the config says that the container runs as. */
function deviceOwnerOf(needs: DraftNeeds, config: ContainerConfig): ContainerSpecInput['deviceOwner'] {
  const security = config.linux?.securityContext;
  if (!needs.config.deviceOwnershipFromSecurityContext) return { uid: null, gid: null };
  return {
    uid: security?.runAsUser ? Number(security.runAsUser.value) : null,
    gid: security?.runAsGroup ? Number(security.runAsGroup.value) : null,
  };
}

/** The config's own, else the image's, else TERM. */
function stopSignalOf(config: ContainerConfig, image: Image): ContainerRecord['stopSignal'] {
  if (config.stopSignal !== 'SIGNAL_RUNTIME_DEFAULT') return config.stopSignal;
  try {
    return criSignal(image.config.stopSignal || 'SIGTERM');
  } catch (cause) {
    throw during(`stop signal of image ${image.id}`, cause);
  }
}

function namespacesOf(
  needs: DraftNeeds,
  { config, sandbox }: { config: ContainerConfig; sandbox: Sandbox },
): ContainerSpecInput['namespaces'] {
  const options = config.linux?.securityContext?.namespaceOptions ?? null;
  const dir = pinsDir(needs.paths.sandboxState(sandbox.id));
  const targetPid = options?.pid === 'TARGET' ? targetPidOf(needs, options.targetId, sandbox) : 0;
  return containerNamespaces(sandbox.config, options, { dir, pausePid: sandbox.pid, targetPid });
}

/** The process whose pid namespace an ephemeral container joins: a running container of the same pod. */
function targetPidOf({ containers }: DraftNeeds, targetId: string, sandbox: Sandbox): number {
  const target = containers.find(targetId);
  if (!target || target.sandboxId !== sandbox.id) {
    throw new Fault(
      'invalid_argument',
      `target container "${targetId}" is not in pod sandbox "${sandbox.id}"`,
    );
  }
  if (target.state !== 'running') {
    throw new Fault('failed_precondition', `target container "${target.id}" does not run`);
  }
  return target.pid;
}
