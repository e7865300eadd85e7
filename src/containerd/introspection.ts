import type { CallOptions, Connection } from './connection.ts';
import { api } from './proto.ts';
import type { TypedAny } from './typed-any.ts';
import { toAny } from './typed-any.ts';

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

export interface ServerInfo {
  /** Of its root directory: the same after an upgrade or on another socket, another when the root was emptied. */
  uuid: string;
  /** What is in use that a later containerd will not have, by id, in containerd's words. None from old ones. */
  deprecations: Record<string, string>;
}

export type Introspection = ReturnType<typeof createIntrospection>;

const service = api['containerd.services.introspection.v1.Introspection'];
const RUNTIME_REQUEST = 'containerd.types.RuntimeRequest';
const RUNTIME_INFO = 'containerd.types.RuntimeInfo';

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

    /** What containerd says of itself. */
    async server(options?: CallOptions): Promise<ServerInfo> {
      const { uuid, deprecations } = await connection.unary(service.Server, {}, options);
      return { uuid, deprecations: Object.fromEntries(deprecations.map(({ id, message }) => [id, message])) };
    },

    /**
     * The runtime-spec's features document as a shim tells it, null when it has none. Rejects with
     * `unimplemented` on containerd 1.6, and with whatever a shim that cannot be asked makes of it.
     */
    async runtimeFeatures(
      shim: { name: string; options: TypedAny | null },
      options?: CallOptions,
    ): Promise<unknown> {
      const request = api[RUNTIME_REQUEST].serialize({
        runtimePath: shim.name,
        options: toAny(shim.options),
      });
      const wanted = {
        type: 'io.containerd.runtime.v2',
        id: 'task',
        options: { type_url: RUNTIME_REQUEST, value: request },
      };
      const { extra } = await connection.unary(service.PluginInfo, wanted, options);
      if (!extra) return null;
      const { features } = api[RUNTIME_INFO].deserialize(Buffer.from(extra.value));
      return features ? (JSON.parse(Buffer.from(features.value).toString('utf8')) as unknown) : null;
    },
  };
}
