import type { OciSpec } from './oci.ts';

/** One small decision about a spec. It is closed over plain values and reaches for nothing. */
export type SpecOption = (draft: OciSpec) => void;

/** Applies the options in order to a copy of the base. */
export function buildSpec(base: OciSpec, options: readonly SpecOption[]): OciSpec {
  const draft = structuredClone(base);
  for (const apply of options) apply(draft);
  return draft;
}

/** What every spec starts from: nothing is allowed, nothing is mounted, nothing is shared yet. */
export const EMPTY_SPEC: Readonly<OciSpec> = {
  // The version that every runtime of today reads; later ones only add fields that cristal does not write.
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    args: [],
    env: [],
    cwd: '/',
    capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    noNewPrivileges: false,
  },
  root: { path: 'rootfs', readonly: false },
  mounts: [],
  annotations: {},
  linux: {
    namespaces: [],
    cgroupsPath: '',
    resources: {},
    devices: [],
    maskedPaths: [],
    readonlyPaths: [],
  },
};
