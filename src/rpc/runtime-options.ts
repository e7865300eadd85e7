import { stringify } from 'smol-toml';
import type { NamedRuntime } from '../config/runtimes.ts';
import { runcOptions, shimOptions } from '../containerd/runtime-options.ts';
import type { TypedAny } from '../containerd/typed-any.ts';

/** The shim's options for a runtime handler; null for a shim that is not runc's and is told nothing. */
export function runtimeOptions(runtime: NamedRuntime, driver: 'cgroupfs' | 'systemd'): TypedAny | null {
  const { options } = runtime;
  if (isRunc(runtime)) {
    return runcOptions({
      ...lowerFirst(options),
      systemdCgroup: usesSystemd(runtime, driver),
      binaryName: runtime.binary,
      root: runtime.root,
    });
  }
  if (Object.keys(options).length === 0) return null;
  const { ConfigPath: configPath = '', TypeUrl: typeUrl = '' } = options;
  return shimOptions({
    typeUrl: String(typeUrl),
    configPath: String(configPath),
    configBody: configPath === '' ? stringify(options) : '',
  });
}

/** containerd's configuration has Go's names, and the messages of its API those of protobuf. */
function lowerFirst(options: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(options);
  return Object.fromEntries(
    entries.map(([key, value]) => [key.slice(0, 1).toLowerCase() + key.slice(1), value]),
  );
}

/** Whether the shim is runc's, whose options are known; the runtime that it runs may still be another. */
export function isRunc({ type }: NamedRuntime): boolean {
  return type.startsWith('io.containerd.runc.');
}

/** Whether this handler's cgroups are made by systemd. */
export function usesSystemd(runtime: NamedRuntime, driver: 'cgroupfs' | 'systemd'): boolean {
  return runtime.systemdCgroup ?? driver === 'systemd';
}
