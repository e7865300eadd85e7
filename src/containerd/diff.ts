import type { CallOptions, Connection } from './connection.ts';
import type { Descriptor } from './descriptor.ts';
import { descriptorFrom } from './descriptor.ts';
import type { Mount } from './mount.ts';
import { api } from './proto.ts';

export type Diff = ReturnType<typeof createDiff>;

const service = api['containerd.services.diff.v1.Diff'];

export function createDiff(connection: Connection) {
  return {
    /** Packs what `right` has and `left` has not into a blob of this media type, in the content store. */
    async create(
      request: { left: Mount[]; right: Mount[]; mediaType: string; ref: string },
      options?: CallOptions,
    ): Promise<Descriptor> {
      const { diff } = await connection.unary(service.Diff, request, options);
      return descriptorFrom(diff);
    },

    /**
     * Unpacks a layer from the content store onto the mounts of an active snapshot. Answers with the
     * descriptor of the uncompressed layer, whose digest is the layer's diff id.
     */
    async apply(
      { descriptor, mounts, lease }: { descriptor: Descriptor; mounts: Mount[]; lease?: string },
      options: CallOptions = {},
    ): Promise<Descriptor> {
      const { applied } = await connection.unary(
        service.Apply,
        { diff: descriptor, mounts },
        lease === undefined ? options : { ...options, lease },
      );
      return descriptorFrom(applied);
    },
  };
}
