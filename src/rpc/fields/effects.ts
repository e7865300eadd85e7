/** For the test of this folder: what handlers make of configs, but for the configs themselves. */
import { runtimeNamed } from '../../config/runtimes.ts';
import type { Config } from '../../config/schema.ts';
import { specFrom } from '../../container/oci-any.ts';
import { taskIo } from '../../container/task.ts';
import type { MadeVolumes } from '../../container/volumes.ts';
import type { ContainerConfig__Output as ContainerConfig } from '../../gen/runtime/v1/ContainerConfig.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../../gen/runtime/v1/PodSandboxConfig.ts';
import { Apparmor } from '../../host/apparmor.ts';
import type { Image } from '../../image/image.ts';
import { checkNamespaces, refuseUnsupported, sharesPids } from '../../sandbox/namespaces.ts';
import { hostFacts, imageConfig } from '../../spec/fixtures.ts';
import { resolvConf } from '../../spec/hosts.ts';
import { checkMounts, isImageVolume } from '../../spec/mount-rules.ts';
import { containerName, createContainerStore } from '../../store/containers.ts';
import { createPaths } from '../../store/paths.ts';
import type { SandboxRecord } from '../../store/sandboxes.ts';
import { createSandboxStore, sandboxName } from '../../store/sandboxes.ts';
import { pauseConfinement } from '../confinement.ts';
import { CdiDevices } from '../container/cdi.ts';
import type { DraftNeeds } from '../container/draft.ts';
import { draftContainer } from '../container/draft.ts';
import { ImageUserFiles } from '../container/image-user-files.ts';
import type { MachineNeeds } from '../container/machine.ts';
import { gatherMachine } from '../container/machine.ts';
import { relabelled } from '../container/relabel.ts';
import { toStatus as containerStatus } from '../container/status.ts';
import { container, sandbox } from '../fixtures.ts';
import { attachRequest } from '../sandbox/attach-request.ts';
import { pinRequest } from '../sandbox/pin-request.ts';
import { sandboxObject } from '../sandbox/sandbox-object.ts';
import { toStatus as podStatus } from '../sandbox/status.ts';

/** All that handlers need to decide, on a machine with AppArmor, SELinux, cgroup v2 and two targets that run. */
export type World = DraftNeeds & MachineNeeds & { readonly dir: string };

const POD_ID = '1'.repeat(64);
const CONTAINER_ID = '2'.repeat(64);

const IMAGE: Image = {
  id: 'sha256:aa',
  repoTags: [],
  repoDigests: [],
  chainId: '',
  size: 0,
  config: imageConfig(),
  pinned: false,
  names: [],
  target: { mediaType: '', digest: '', size: 0, annotations: {} },
};

/** @param dir has the files and directories that configs name. */
export function createWorld(dir: string, config: Config): World {
  const paths = createPaths({ root: `${dir}/root`, state: `${dir}/state` });
  const objects = { create: async () => {}, delete: async () => true };
  const containers = createContainerStore(objects, paths);
  for (const [id, pid] of [
    ['target-1', 101],
    ['target-2', 102],
  ] as const) {
    containers.put(container({ id, name: id, pid, sandboxId: POD_ID }));
  }
  const able = { recursiveReadOnly: true, userNamespaces: true, seccomp: true };
  return {
    dir,
    abilities: new Map([['runc', able]]),
    apparmor: new Apparmor({ fs: `${dir}/apparmor`, parser: '/bin/false' }),
    cdi: new CdiDevices([`${dir}/cdi`]),
    userFiles: new ImageUserFiles(),
    cgroupDriver: 'cgroupfs',
    config,
    containers,
    facts: hostFacts({
      apparmor: true,
      selinux: { process: 'u:r:container_t:s0', file: 'u:object_r:container_file_t:s0' },
      hugepageSizes: ['2MB', '1GB'],
    }),
    paths,
    sandboxes: createSandboxStore(objects, paths),
  };
}

/** What RunPodSandbox makes: namespaces, files, the network, the pause container, and what is told of the pod. */
export async function podEffects(world: World, config: PodSandboxConfig): Promise<object> {
  refuseUnsupported(config, world.abilities.get('runc'));
  const record = podRecord(config);
  const runtime = runtimeNamed(world.config, '');
  const confinement = record.holder === 'pause' ? await pauseConfinement(world, record) : null;
  const { spec, ...object } = sandboxObject(world, record, { runtime, confinement });
  const { metadata, labels, annotations } = podStatus(sandbox({ ...record }));
  return {
    object,
    spec: spec && specFrom(spec),
    pins: pinRequest(world, config, '/pins'),
    resolvConf: resolvConf(config.dnsConfig, ''),
    network: attachRequest(record, { netns: '/pins/net', confDir: runtime.cniConfDir }),
    told: { metadata, labels, annotations },
  };
}

/** What CreateContainer makes: the spec, the record, labels of files, the streams, and what is told of it. */
export async function containerEffects(
  world: World,
  config: ContainerConfig,
  pod: PodSandboxConfig,
): Promise<object> {
  checkNamespaces(pod, config.linux?.securityContext?.namespaceOptions ?? null);
  checkMounts(config.mounts, world.abilities.get('runc'));
  const owner = sandbox({ ...podRecord(pod), pid: 4711 });
  const rootfs = async () => [{ type: 'bind', source: `${world.dir}/rootfs`, options: [], target: '' }];
  const layers = { snapshotter: 'overlayfs', chainId: IMAGE.chainId };
  const runtime = runtimeNamed(world.config, '');
  const gathered = await gatherMachine(world, { config, layers, rootfs, sandbox: owner, runtime });
  const machine = { ...gathered, mounts: world.facts.mounts };
  const name = config.metadata ? containerName(config.metadata, POD_ID) : '';
  const order = {
    id: CONTAINER_ID,
    name,
    config,
    sandbox: owner,
    image: IMAGE,
    runtime,
    snapshotter: 'overlayfs',
    volumes: volumesOf(config),
  };
  const { record, spec, labels, files } = draftContainer(world, order, machine);
  const { config: _, createdAt: __, ...decided } = record;
  const told = containerStatus(container({ ...record }), { find: () => null });
  return {
    spec,
    decided,
    labels,
    relabelled: relabelled({ config, files, mountSources: machine.mountSources, volumes: volumesOf(config) }),
    streams: taskIo('/io', config),
    told: { metadata: told.metadata, labels: told.labels, annotations: told.annotations, image: told.image },
  };
}

/** Where the volumes of images would be, without any that was mounted. */
function volumesOf({ mounts }: ContainerConfig): MadeVolumes {
  const places = mounts.entries().filter(([, mount]) => isImageVolume(mount));
  return {
    prepared: Object.fromEntries(places.map(([place]) => [place, '/volume'])),
    imageRefs: {},
    declared: [],
  };
}

function podRecord(config: PodSandboxConfig): SandboxRecord {
  return {
    id: POD_ID,
    name: config.metadata ? sandboxName(config.metadata) : '',
    config,
    runtimeHandler: 'runc',
    createdAt: 1n,
    holder: sharesPids(config) ? 'pause' : 'pinned',
  };
}
