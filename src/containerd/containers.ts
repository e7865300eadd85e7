import type {
  Container__Output,
  Container as WireContainer,
} from '../gen/containerd/services/containers/v1/Container.ts';
import { Fault } from '../lib/fault.ts';
import { wasThere } from './absent.ts';
import type { CallOptions, Connection } from './connection.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';
import type { TypedAny } from './typed-any.ts';
import { fromAny, toAny } from './typed-any.ts';

/** containerd's metadata about a container. It says nothing of a process: that is the task. */
export interface ContainerRecord {
  id: string;
  labels: Record<string, string>;
  /** The image's name in the image store. */
  image: string;
  runtime: { name: string; options: TypedAny | null };
  /** The OCI runtime spec as JSON. containerd takes no record without one, even if it never runs. */
  spec: TypedAny | null;
  snapshotter: string;
  snapshotKey: string;
  extensions: Record<string, TypedAny>;
  /** Nanoseconds since the epoch, set by containerd and ignored on create. */
  createdAt: bigint;
}

export type Containers = ReturnType<typeof createContainers>;

const service = api['containerd.services.containers.v1.Containers'];

export function createContainers(connection: Connection) {
  return {
    async get(id: string, options?: CallOptions): Promise<ContainerRecord> {
      const { container } = await connection.unary(service.Get, { id }, options);
      if (!container) throw new Fault('internal', `containerd answered without container ${id}`);
      return recordFrom(container);
    },

    /** One message per container, so that their number is not bound by the size of a message. */
    async list(filters: string[], options?: CallOptions): Promise<ContainerRecord[]> {
      const records: ContainerRecord[] = [];
      for await (const { container } of connection.serverStream(service.ListStream, { filters }, options)) {
        if (container) records.push(recordFrom(container));
      }
      return records;
    },

    /** `already_exists` if the id is taken. */
    async create(record: ContainerRecord, options?: CallOptions): Promise<void> {
      await connection.unary(service.Create, { container: toWire(record) }, options);
    },

    /** Writes only what the paths name, such as `labels`, `spec` or `extensions.<name>`. */
    async update(record: ContainerRecord, fieldPaths: string[], options?: CallOptions): Promise<void> {
      const request = { container: toWire(record), updateMask: { paths: fieldPaths } };
      await connection.unary(service.Update, request, options);
    },

    /** False if it was already gone. `failed_precondition` while it has a task. */
    delete: (id: string, options?: CallOptions): Promise<boolean> =>
      wasThere(connection.unary(service.Delete, { id }, options)),
  };
}

function recordFrom(wire: Container__Output): ContainerRecord {
  const extensions: Record<string, TypedAny> = {};
  for (const [name, { type_url: typeUrl, value }] of Object.entries(wire.extensions)) {
    extensions[name] = { typeUrl, value };
  }
  return {
    id: wire.id,
    labels: wire.labels,
    image: wire.image,
    runtime: { name: wire.runtime?.name ?? '', options: fromAny(wire.runtime?.options ?? null) },
    spec: fromAny(wire.spec),
    snapshotter: wire.snapshotter,
    snapshotKey: wire.snapshotKey,
    extensions,
    createdAt: nsFromTimestamp(wire.createdAt),
  };
}

function toWire(record: ContainerRecord): WireContainer {
  const extensions: NonNullable<WireContainer['extensions']> = {};
  for (const [name, { typeUrl, value }] of Object.entries(record.extensions)) {
    extensions[name] = { type_url: typeUrl, value };
  }
  return {
    id: record.id,
    labels: record.labels,
    image: record.image,
    runtime: { name: record.runtime.name, options: toAny(record.runtime.options) },
    spec: toAny(record.spec),
    snapshotter: record.snapshotter,
    snapshotKey: record.snapshotKey,
    extensions,
  };
}
