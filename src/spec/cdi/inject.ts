import { Fault } from '../../lib/fault.ts';
import type { HostDevice } from '../../lib/host-facts.ts';
import type { SpecOption } from '../build.ts';
import { byDepth } from '../mounts.ts';
import type { OciDevice, OciSpec } from '../oci.ts';
import { lastWins } from '../process.ts';
import type { CdiDeviceNode, CdiEdits } from './edits.ts';

/** Whether a device node says all by itself; else the host's is looked up. */
function isComplete({ type, major }: CdiDeviceNode): boolean {
  return type === 'p' || (type !== null && major !== 0);
}

/**
 * Makes the edits in their order; of two that change the same thing the later one wins. `host` has what is at
 * the host path of each device node, null for nothing. Throws `invalid_argument` for a node that is not whole.
 */
export function withCdiEdits(
  all: readonly CdiEdits[],
  host: Readonly<Record<string, HostDevice | null>>,
): SpecOption {
  return (draft) => {
    for (const edits of all) {
      for (const node of edits.deviceNodes) addDevice(draft, node, host[node.hostPath] ?? null);
      draft.process.env = lastWins([...draft.process.env, ...edits.env]);
      const targets = new Set(edits.mounts.map(({ destination }) => destination));
      const kept = draft.mounts.filter(({ destination }) => !targets.has(destination));
      draft.mounts = byDepth([...kept, ...structuredClone(edits.mounts)]);
      for (const { name, hook } of edits.hooks) {
        draft.hooks = { ...draft.hooks, [name]: [...(draft.hooks?.[name] ?? []), structuredClone(hook)] };
      }
      if (edits.intelRdt) draft.linux.intelRdt = { ...edits.intelRdt };
      // Everybody would be in root's group by one that was left out.
      const gids = edits.additionalGids.filter((gid) => gid !== 0);
      draft.process.user.additionalGids = [...new Set([...draft.process.user.additionalGids, ...gids])];
    }
  };
}

function addDevice({ linux, process }: OciSpec, node: CdiDeviceNode, host: HostDevice | null): void {
  const device = deviceFrom(node, host);
  linux.devices = [
    ...linux.devices.filter(({ path }) => path !== node.path),
    // One that names no owner belongs to whom the container runs as.
    { ...device, uid: node.uid ?? process.user.uid, gid: node.gid ?? process.user.gid },
  ];
  const { type, major, minor } = device;
  if (type !== 'b' && type !== 'c') return;
  const rule = { allow: true, type, major, minor, access: node.permissions };
  linux.resources.devices = [...(linux.resources.devices ?? []), rule];
}

function deviceFrom(node: CdiDeviceNode, host: HostDevice | null): Omit<OciDevice, 'uid' | 'gid'> {
  const { path, hostPath, type, major, minor } = node;
  const fileMode = node.fileMode ?? host?.mode;
  const mode = fileMode === undefined ? {} : { fileMode };
  if (type !== null && isComplete(node)) return { path, type, major, minor, ...mode };
  if (host === null) {
    throw new Fault(
      'invalid_argument',
      `CDI device node ${path}: no device is at ${hostPath} of this machine`,
    );
  }
  if (type !== null && type !== host.type) {
    throw new Fault(
      'invalid_argument',
      `CDI device node ${path}: ${hostPath} is of type ${host.type}, not ${type}`,
    );
  }
  return { path, type: host.type, major: host.major, minor: host.minor, ...mode };
}
