import type { Config } from '../../config/schema.ts';
import { Fault } from '../../lib/fault.ts';

/** The snapshotter of a runtime handler; the default one where the handler has none, or is not named. */
export function snapshotterFor(config: Config, runtimeHandler: string): string {
  if (runtimeHandler === '') return snapshotterFor(config, config.defaultRuntime);
  const handler = config.runtimes[runtimeHandler];
  if (handler === undefined) throw new Fault('invalid_argument', `no runtime handler "${runtimeHandler}"`);
  return handler.snapshotter === '' ? config.containerd.snapshotter : handler.snapshotter;
}

/** Every snapshotter that a container may stand on, the default one first. */
export function allSnapshotters(config: Config): string[] {
  const handlers = Object.keys(config.runtimes).map((name) => snapshotterFor(config, name));
  return [...new Set([config.containerd.snapshotter, ...handlers])];
}
