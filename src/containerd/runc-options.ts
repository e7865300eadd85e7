import { api } from './proto.ts';
import type { TypedAny } from './typed-any.ts';

const TYPE = 'containerd.runc.v1.Options';

/** Options for the runc shim. An empty `binaryName` is runc from PATH, an empty `root` its default. */
export function runcOptions(options: { systemdCgroup: boolean; binaryName: string; root: string }): TypedAny {
  return { typeUrl: TYPE, value: api[TYPE].serialize(options) };
}
