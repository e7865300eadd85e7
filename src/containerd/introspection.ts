import type { CallOptions, Connection } from './connection.ts';
import { api } from './proto.ts';

/** A part of containerd, such as a snapshotter. */
export interface Plugin {
  /** Such as `io.containerd.snapshotter.v1`. */
  type: string;
  /** Such as `overlayfs`. */
  id: string;
  /** What it tells the world, such as the snapshotter's `root`. */
  exports: Record<string, string>;
  capabilities: string[];
  /** Why it did not start; null when it runs. */
  initError: string | null;
}

export type Introspection = ReturnType<typeof createIntrospection>;

const service = api['containerd.services.introspection.v1.Introspection'];

export function createIntrospection(connection: Connection) {
  return {
    async plugins(filters: string[] = [], options?: CallOptions): Promise<Plugin[]> {
      const { plugins } = await connection.unary(service.Plugins, { filters }, options);
      return plugins.map(({ type, id, exports, capabilities, initErr }) => ({
        type,
        id,
        exports,
        capabilities,
        initError: initErr?.message ?? null,
      }));
    },
  };
}
