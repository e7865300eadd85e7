import { wasThere } from './absent.ts';
import type { CallOptions, Connection } from './connection.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';

/** Keeps what it names from garbage collection, until it is deleted or its label says it has expired. */
export interface Lease {
  id: string;
  labels: Record<string, string>;
  createdAt: bigint;
}

/** `type` is `content`, `ingests` or `snapshots/<snapshotter>`. */
export interface LeasedResource {
  id: string;
  type: string;
}

export type Leases = ReturnType<typeof createLeases>;

const service = api['containerd.services.leases.v1.Leases'];

export function createLeases(connection: Connection) {
  return {
    /** `already_exists` if the id is taken. */
    async create(id: string, labels: Record<string, string> = {}, options?: CallOptions): Promise<void> {
      await connection.unary(service.Create, { id, labels }, options);
    },

    /** False if it was already gone. With `sync` the garbage is collected before this resolves. */
    delete: (
      id: string,
      { sync = false }: { sync?: boolean } = {},
      options?: CallOptions,
    ): Promise<boolean> => wasThere(connection.unary(service.Delete, { id, sync }, options)),

    async list(filters: string[] = [], options?: CallOptions): Promise<Lease[]> {
      const { leases } = await connection.unary(service.List, { filters }, options);
      return leases.map(({ id, labels, createdAt }) => ({
        id,
        labels,
        createdAt: nsFromTimestamp(createdAt),
      }));
    },

    async addResource(id: string, resource: LeasedResource, options?: CallOptions): Promise<void> {
      await connection.unary(service.AddResource, { id, resource }, options);
    },

    async resources(id: string, options?: CallOptions): Promise<LeasedResource[]> {
      const { resources } = await connection.unary(service.ListResources, { id }, options);
      return resources.map((resource) => ({ id: resource.id, type: resource.type }));
    },
  };
}
