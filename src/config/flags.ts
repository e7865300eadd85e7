import type { Field } from './fields.ts';
import type { Config } from './schema.ts';
import { cniFields, containerdFields, topFields } from './settings.ts';

/** A command-line option that outranks one key of the file. */
export interface Flag {
  name: string;
  /** What stands after it in the help page. */
  takes: string;
  /** A list is given by repeating the option. */
  repeated: boolean;
  doc: string;
  expects: string;
  /** Undefined when the value is refused. */
  apply(config: Config, given: string | string[]): Config | undefined;
}

export const flags: readonly Flag[] = [
  option('--listen SOCKET', topFields.listen, (config, listen) => ({ ...config, listen })),
  option('--containerd SOCKET', containerdFields.address, (config, address) => ({
    ...config,
    containerd: { ...config.containerd, address },
  })),
  option('--namespace NAME', containerdFields.namespace, (config, namespace) => ({
    ...config,
    containerd: { ...config.containerd, namespace },
  })),
  option('--root DIR', topFields.root, (config, root) => ({ ...config, root })),
  option('--state DIR', topFields.state, (config, state) => ({ ...config, state })),
  option('--log-level LEVEL', topFields.logLevel, (config, logLevel) => ({ ...config, logLevel })),
  option('--cni-conf-dir DIR', cniFields.confDir, (config, confDir) => ({
    ...config,
    cni: { ...config.cni, confDir },
  })),
  option('--cni-bin-dir DIR ...', cniFields.binDirs, (config, binDirs) => ({
    ...config,
    cni: { ...config.cni, binDirs },
  })),
];

/** `usage` is as in the help page: name, what it takes, and dots when it may be repeated. */
function option<T>(usage: string, field: Field<T>, put: (config: Config, value: T) => Config): Flag {
  const [name = '', takes = '', dots] = usage.split(' ');
  return {
    name: name.slice(2),
    takes,
    repeated: dots !== undefined,
    doc: field.doc,
    expects: field.expects,
    apply(config, given) {
      const value = field.read(given);
      return value === undefined ? undefined : put(config, value);
    },
  };
}
