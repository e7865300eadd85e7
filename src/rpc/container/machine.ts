import type { NamedRuntime } from '../../config/runtimes.ts';
import type { Mount } from '../../containerd/mount.ts';
import type { ContainerConfig__Output as ContainerConfig } from '../../gen/runtime/v1/ContainerConfig.ts';
import { devicesAt, readHostDevices } from '../../host/devices.ts';
import { readText } from '../../host/files.ts';
import { resolveMountSource } from '../../host/mount-source.ts';
import { readMountInfo } from '../../host/mounts.ts';
import { Fault } from '../../lib/fault.ts';
import type { HostDevice, MountInfo } from '../../lib/host-facts.ts';
import { readBaseSpec } from '../../spec/base.ts';
import { EMPTY_SPEC } from '../../spec/build.ts';
import { askedDevices } from '../../spec/cdi/names.ts';
import type { Confinement, FoundDevice } from '../../spec/input.ts';
import type { OciSpec } from '../../spec/oci.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import { containerConfinement } from '../confinement.ts';
import type { Services } from '../services.ts';
import type { CdiWish } from './cdi.ts';
import type { Layers, UserFiles } from './image-user-files.ts';

/** How long a mount's source may take to answer, in milliseconds, before the call fails and names it. */
const MOUNT_SOURCE_MS = 10_000;

export type MachineNeeds = Pick<
  Services,
  'abilities' | 'apparmor' | 'cdi' | 'config' | 'facts' | 'userFiles'
>;

/** What only the machine knows, read before anything is decided. */
export interface Machine extends UserFiles {
  readonly confinement: Confinement;
  /** What the spec starts from. */
  readonly base: OciSpec;
  /** Each host path of the config's mounts to its real path. */
  readonly mountSources: Record<string, string>;
  /** What is at the host paths of the config's devices. */
  readonly devices: FoundDevice[];
  readonly cdi: CdiWish;
  /** All devices, as a privileged container gets them. */
  readonly hostDevices: HostDevice[];
  readonly mounts: MountInfo[];
}

/** Finds the image's user files and resolves the sources of all mounts, side by side. */
export async function gatherMachine(
  needs: MachineNeeds,
  order: {
    config: ContainerConfig;
    layers: Layers;
    rootfs: () => Promise<Mount[]>;
    sandbox: Sandbox;
    runtime: NamedRuntime;
  },
): Promise<Machine> {
  const { config, layers, rootfs, sandbox, runtime } = order;
  const paths = config.mounts.map(({ hostPath }) => hostPath).filter((path) => path !== '');
  const privileged = config.linux?.securityContext?.privileged ?? false;
  const [confinement, base, devices, cdi, hostDevices, users, mounts, ...resolved] = await Promise.all([
    containerConfinement(needs, config, sandbox),
    baseSpecOf(runtime),
    Promise.all(config.devices.map(async (device) => ({ device, ...(await devicesAt(device.hostPath)) }))),
    needs.cdi.find(askedDevices(config)),
    privileged ? readHostDevices() : [],
    needs.userFiles.of(layers, rootfs),
    config.mounts.some(({ propagation }) => propagation !== 'PROPAGATION_PRIVATE') ? readMountInfo() : [],
    ...paths.map((path) => resolveMountSource(path, MOUNT_SOURCE_MS)),
  ]);
  const mountSources = Object.fromEntries(paths.map((path, i) => [path, resolved[i] ?? path]));
  return { ...users, confinement, base, mountSources, mounts, devices, cdi, hostDevices };
}

async function baseSpecOf({ baseRuntimeSpec }: NamedRuntime): Promise<OciSpec> {
  if (baseRuntimeSpec === '') return EMPTY_SPEC;
  const text = await readText(baseRuntimeSpec);
  if (text === null)
    throw new Fault('failed_precondition', `base spec ${baseRuntimeSpec}: there is no such file`);
  return readBaseSpec(baseRuntimeSpec, text);
}
