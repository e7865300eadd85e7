import type { Options } from '../gen/containerd/runc/v1/Options.ts';
import { api } from './proto.ts';
import type { TypedAny } from './typed-any.ts';

const RUNC = 'containerd.runc.v1.Options';
const OTHER = 'runtimeoptions.v1.Options';

/** Options for the runc shim. An empty `binaryName` is runc from PATH, an empty `root` its default. */
export function runcOptions(
  options: Options & Required<Pick<Options, 'systemdCgroup' | 'binaryName' | 'root'>>,
): TypedAny {
  return { typeUrl: RUNC, value: api[RUNC].serialize(options) };
}

/** Options for a shim of another kind: a file of its own, or what would be in it. */
export function shimOptions(options: { typeUrl: string; configPath: string; configBody: string }): TypedAny {
  return {
    typeUrl: OTHER,
    value: api[OTHER].serialize({ ...options, configBody: Buffer.from(options.configBody) }),
  };
}
