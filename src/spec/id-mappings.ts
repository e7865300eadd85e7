import type { IDMapping__Output } from '../gen/runtime/v1/IDMapping.ts';
import type { UserNamespace__Output } from '../gen/runtime/v1/UserNamespace.ts';
import { Fault } from '../lib/fault.ts';
import type { IdMapping, IdMappings } from '../lib/id-mappings.ts';
import type { SpecOption } from './build.ts';

/** A pod's own user namespace: where it is pinned, and which ids of the machine it has. */
export interface PodUserNamespace {
  path: string;
  ids: IdMappings;
}

/**
 * The ids of a pod with a user namespace of its own, null for one in the machine's. Throws `invalid_argument`, as
 * containerd's own CRI does: exactly one mapping each, with id 0 in it.
 */
export function podIds(options: UserNamespace__Output | null | undefined): IdMappings | null {
  if (!options) return null;
  const { mode, uids, gids } = options;
  if (mode === 'NODE') {
    if (uids.length + gids.length === 0) return null;
    throw new Fault('invalid_argument', 'user namespace mode NODE takes no id mappings');
  }
  if (mode !== 'POD') throw new Fault('invalid_argument', `there is no user namespace mode ${mode}`);
  const ids = { uids: theOne(uids, 'user'), gids: theOne(gids, 'group') };
  if (ids.uids.containerId !== 0 || ids.gids.containerId !== 0) {
    throw new Fault('invalid_argument', 'the id mappings of a user namespace have to map id 0');
  }
  return ids;
}

/** The ids of an id-mapped mount, null for any other. Throws `invalid_argument`. */
export function mountIds(mount: {
  uidMappings: readonly IDMapping__Output[];
  gidMappings: readonly IDMapping__Output[];
}): IdMappings | null {
  const { uidMappings, gidMappings } = mount;
  if (uidMappings.length + gidMappings.length === 0) return null;
  return { uids: theOne(uidMappings, 'user'), gids: theOne(gidMappings, 'group') };
}

/** Joins the pod's user namespace. Runtimes want its mappings told as well. */
export function withUserNamespace(userns: PodUserNamespace | null): SpecOption {
  return ({ linux }) => {
    if (userns === null) return;
    linux.namespaces.push({ type: 'user', path: userns.path });
    linux.uidMappings = [ociMapping(userns.ids.uids)];
    linux.gidMappings = [ociMapping(userns.ids.gids)];
  };
}

function ociMapping({ containerId, hostId, length }: IdMapping) {
  return { containerID: containerId, hostID: hostId, size: length };
}

function theOne(mappings: readonly IDMapping__Output[], kind: string): IdMapping {
  const [only, ...more] = mappings;
  if (!only || more.length > 0) {
    throw new Fault('invalid_argument', `exactly one ${kind} id mapping is needed, got ${mappings.length}`);
  }
  if (only.length < 1)
    throw new Fault('invalid_argument', `the ${kind} id mapping has length ${only.length}`);
  const { containerId, hostId, length } = only;
  return { containerId, hostId, length };
}
