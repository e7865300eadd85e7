import type { SpecOption } from './build.ts';
import type { NamespaceRef } from './input.ts';
import type { OciNamespace } from './oci.ts';

type Shared = Extract<OciNamespace['type'], 'pid' | 'network' | 'ipc' | 'uts'>;

/** Adds each namespace of the list; one that is the machine's is left out, for that is how OCI says "host". */
export function withNamespaces(refs: Partial<Record<Shared, NamespaceRef>>): SpecOption {
  return ({ linux }) => {
    for (const type of ['pid', 'network', 'ipc', 'uts'] as const) {
      const ref = refs[type];
      if (ref?.kind === 'new') linux.namespaces.push({ type });
      if (ref?.kind === 'path') linux.namespaces.push({ type, path: ref.path });
    }
    linux.namespaces.push({ type: 'mount' });
  };
}

/** On cgroup v2 a container sees its own cgroup as the root, unless it is trusted with the whole machine. */
export function withCgroupNamespace(cgroup: 'v1' | 'v2', privileged: boolean): SpecOption {
  return ({ linux }) => {
    if (cgroup === 'v2' && !privileged) linux.namespaces.push({ type: 'cgroup' });
  };
}

/** Runtimes refuse a hostname without a new UTS namespace, and a joined one has its name already. */
export function withHostname(uts: NamespaceRef, hostname: string): SpecOption {
  return (draft) => {
    if (uts.kind === 'new' && hostname !== '') draft.hostname = hostname;
  };
}
