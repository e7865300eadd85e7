import { Fault } from '../lib/fault.ts';
import { EMPTY_SPEC } from './build.ts';
import type { OciSpec } from './oci.ts';

/**
 * A spec of the operator's own, that every container of a runtime handler starts from. What a pod's config says is
 * written over it. What only cristal can know (namespaces, hostname, cgroup, root) and what must not come in by the back door
 * (profiles, labels, capabilities) is left out of it. Throws `failed_precondition` that names the file.
 */
export function readBaseSpec(path: string, text: string): OciSpec {
  let document: unknown;
  try {
    // As for Go's reader, null is no value.
    document = JSON.parse(text, (_key, value: unknown) => value ?? undefined);
  } catch (cause) {
    throw new Fault('failed_precondition', `base spec ${path}: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(document)) throw new Fault('failed_precondition', `base spec ${path}: expected an object`);
  const { hostname: _hostname, ...base }: Partial<OciSpec> = document;
  const { seccomp: _filter, mountLabel: _label, resources, ...linux } = part(path, base, 'linux');
  const { apparmorProfile: _profile, selinuxLabel: _selinux, ...process } = part(path, base, 'process');
  const lists = {
    mounts: base.mounts,
    'process.env': process.env,
    'process.rlimits': process.rlimits,
    'linux.devices': linux.devices,
    'linux.resources.devices': resources?.devices,
  };
  for (const [where, list] of Object.entries<unknown>(lists)) {
    if (Array.isArray(list ?? [])) continue;
    throw new Fault('failed_precondition', `base spec ${path}: ${where} is not a list`);
  }
  return {
    ...EMPTY_SPEC,
    ...base,
    process: { ...EMPTY_SPEC.process, ...process, capabilities: EMPTY_SPEC.process.capabilities },
    root: EMPTY_SPEC.root,
    // Runtimes that generate a spec give it one of these, which hides what an image has there.
    mounts: (base.mounts ?? []).filter(({ destination, type }) => destination !== '/run' || type !== 'tmpfs'),
    annotations: base.annotations ?? {},
    linux: {
      ...EMPTY_SPEC.linux,
      ...linux,
      namespaces: [],
      cgroupsPath: '',
      resources: resources ?? {},
    },
  };
}

/** A part of the document, which may be absent. */
function part<K extends 'linux' | 'process'>(
  path: string,
  base: Partial<OciSpec>,
  key: K,
): Partial<OciSpec[K]> {
  const value: unknown = base[key] ?? {};
  if (!isObject(value)) throw new Fault('failed_precondition', `base spec ${path}: ${key} is not an object`);
  return value;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
