import { posix } from 'node:path';
import type { Device__Output } from '../gen/runtime/v1/Device.ts';
import { Fault } from '../lib/fault.ts';
import type { HostDevice } from '../lib/host-facts.ts';
import type { SpecOption } from './build.ts';
import type { OciDevice, OciDeviceRule } from './oci.ts';

/** The runtime makes these itself for each container, so the machine's own are not passed on. */
const OWN_DEVICES = /^\/dev\/(console|ptmx|pts\/.*|shm\/.*|mqueue\/.*)$/;

const DENY_ALL: Readonly<OciDeviceRule> = { allow: false, access: 'rwm' };

interface DeviceWish {
  privileged: boolean;
  privilegedWithoutHostDevices: boolean;
  devices: readonly Device__Output[];
  hostDevices: readonly HostDevice[];
  /** Host path to real path. */
  sources: Readonly<Record<string, string>>;
}

/**
 * Which device nodes a container has and which it may open: the runtime's few, and those of the config. A
 * privileged container has all of the machine's, unless its runtime handler keeps them out.
 * Throws `invalid_argument` for what is no device of this machine.
 */
export function withDevices(wish: DeviceWish): SpecOption {
  const asked = wish.devices.flatMap((device) => askedDevices(device, wish));
  const everything = wish.privileged && !wish.privilegedWithoutHostDevices;
  const shared = everything ? wish.hostDevices.filter(({ path }) => !OWN_DEVICES.test(path)) : [];

  const nodes = [...shared.map((device) => nodeAt(device.path, device)), ...asked.map(({ node }) => node)];
  // Later ones win, so that the config's choice of a path is kept.
  const byPath = new Map(nodes.map((node) => [node.path, node]));
  const rules = everything ? [{ allow: true, access: 'rwm' }] : [DENY_ALL, ...asked.map(({ rule }) => rule)];

  return ({ linux }) => {
    linux.devices = [...byPath.values()];
    linux.resources.devices = rules;
  };
}

/** Only the few nodes that the runtime makes by itself, which it also allows by itself. */
export function withBasicDevices(): SpecOption {
  return ({ linux }) => {
    linux.resources.devices = [DENY_ALL];
  };
}

interface AskedDevice {
  node: OciDevice;
  rule: OciDeviceRule;
}

/** One device, or all those below a directory, which keep their names below the container's path. */
function askedDevices(device: Device__Output, { hostDevices, sources }: DeviceWish): AskedDevice[] {
  const source = posix.normalize(sources[device.hostPath] ?? device.hostPath);
  const target = device.containerPath || device.hostPath;
  const access = device.permissions || 'rwm';
  if (!/^(?!.*(.).*\1)[rwm]+$/.test(access)) {
    throw new Fault(
      'invalid_argument',
      `device ${device.hostPath}: permissions "${access}" are not of r, w, m`,
    );
  }

  const found = hostDevices.filter(({ path }) => path === source || path.startsWith(`${source}/`));
  if (found.length === 0) {
    throw new Fault('invalid_argument', `device ${device.hostPath}: no device of this machine is there`);
  }
  return found.map((host) => ({
    node: nodeAt(posix.join(target, host.path.slice(source.length)), host),
    rule: { allow: true, type: host.type, major: host.major, minor: host.minor, access },
  }));
}

function nodeAt(path: string, { type, major, minor, mode, uid, gid }: HostDevice): OciDevice {
  return { path, type, major, minor, fileMode: mode, uid, gid };
}
