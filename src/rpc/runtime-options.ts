import type { NamedRuntime } from '../config/runtimes.ts';
import { runcOptions } from '../containerd/runc-options.ts';
import type { TypedAny } from '../containerd/typed-any.ts';

/** The shim's options for a runtime handler; null for a shim that is not runc's and has its own. */
export function runtimeOptions(runtime: NamedRuntime, driver: 'cgroupfs' | 'systemd'): TypedAny | null {
  if (!isRunc(runtime)) return null;
  return runcOptions({
    systemdCgroup: usesSystemd(runtime, driver),
    binaryName: runtime.binary,
    root: runtime.root,
  });
}

/** Whether the shim is runc's, whose options are known; the runtime that it runs may still be another. */
export function isRunc({ type }: NamedRuntime): boolean {
  return type.startsWith('io.containerd.runc.');
}

/** Whether this handler's cgroups are made by systemd. */
export function usesSystemd(runtime: NamedRuntime, driver: 'cgroupfs' | 'systemd'): boolean {
  return runtime.systemdCgroup ?? driver === 'systemd';
}
