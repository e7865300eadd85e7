import { posix } from 'node:path';
import { Fault } from '../lib/fault.ts';
import type { HostDevice } from '../lib/host-facts.ts';
import type { SpecOption } from './build.ts';
import type { DeviceOwner, FoundDevice } from './input.ts';
import type { OciDevice, OciDeviceRule } from './oci.ts';

/** The runtime makes these itself for each container, so the machine's own are not passed on. */
const OWN_DEVICES = /^\/dev\/(console|ptmx|pts\/.*|shm\/.*|mqueue\/.*)$/;

const DENY_ALL: Readonly<OciDeviceRule> = { allow: false, access: 'rwm' };
const ALLOW_ALL: Readonly<OciDeviceRule> = { allow: true, access: 'rwm' };

interface DeviceWish {
  privileged: boolean;
  /** Of the runtime handler: whether a privileged container has the machine's devices, or may open its own. */
  host: { withoutHostDevices: boolean; allAllowed: boolean };
  devices: readonly FoundDevice[];
  hostDevices: readonly HostDevice[];
  owner: DeviceOwner;
}

/**
 * Which device nodes a container has and which it may open: the runtime's few, and those of the config. A
 * privileged container has all of the machine's, unless its runtime handler keeps them out.
 * Throws `invalid_argument` for permissions that are none.
 */
export function withDevices(wish: DeviceWish): SpecOption {
  const { privileged, host } = wish;
  const asked = wish.devices.flatMap((device) => askedDevices(device, wish.owner));
  const everything = privileged && !host.withoutHostDevices;
  const shared = everything ? wish.hostDevices.filter(({ path }) => !OWN_DEVICES.test(path)) : [];

  const nodes = [...shared.map((device) => nodeAt(device.path, device)), ...asked.map(({ node }) => node)];
  // Later ones win, so that the config's choice of a path is kept.
  const byPath = new Map(nodes.map((node) => [node.path, node]));
  const open = everything || (privileged && host.allAllowed);
  const rules = open ? [ALLOW_ALL] : [DENY_ALL, ...asked.map(({ rule }) => rule)];

  return ({ linux }) => {
    linux.devices = [...linux.devices.filter(({ path }) => !byPath.has(path)), ...byPath.values()];
    // Those of a base spec: the last rule that fits counts, so that none of them opens all.
    const base = (linux.resources.devices ?? []).filter(({ allow, type }) => allow && type !== undefined);
    linux.resources.devices = [...rules.slice(0, 1), ...base, ...rules.slice(1)].map((rule) => ({ ...rule }));
  };
}

/** Only the few nodes that the runtime makes by itself, which it also allows by itself. */
export function withBasicDevices(): SpecOption {
  return ({ linux }) => {
    linux.resources.devices = [{ ...DENY_ALL }];
  };
}

/** What a device's cgroup may do with it: each of r, w and m once. */
export function isDeviceAccess(access: string): boolean {
  return /^(?!.*(.).*\1)[rwm]+$/.test(access);
}

interface AskedDevice {
  node: OciDevice;
  rule: OciDeviceRule;
}

/** One device, or all those below a directory, which keep their names below the container's path. */
function askedDevices({ device, realPath, devices }: FoundDevice, owner: DeviceOwner): AskedDevice[] {
  const { hostPath, containerPath, permissions } = device;
  const target = containerPath || hostPath;
  const access = permissions || 'rwm';
  if (!isDeviceAccess(access)) {
    throw new Fault('invalid_argument', `device ${hostPath}: permissions "${access}" are not of r, w, m`);
  }
  if (!posix.isAbsolute(target)) {
    throw new Fault('invalid_argument', `device ${hostPath}: the container path "${target}" is not absolute`);
  }
  return devices.map((host) => {
    const node = nodeAt(posix.join(target, host.path.slice(realPath.length)), host);
    return {
      node: {
        ...node,
        ...(owner.uid !== null && { uid: owner.uid }),
        ...(owner.gid !== null && { gid: owner.gid }),
      },
      rule: { allow: true, type: host.type, major: host.major, minor: host.minor, access },
    };
  });
}

function nodeAt(path: string, { type, major, minor, mode, uid, gid }: HostDevice): OciDevice {
  return { path, type, major, minor, fileMode: mode, uid, gid };
}
