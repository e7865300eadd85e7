import type { Image__Output } from '../gen/containerd/services/images/v1/Image.ts';
import { Fault } from '../lib/fault.ts';
import { orNull, wasThere } from './absent.ts';
import type { CallOptions, Connection } from './connection.ts';
import type { Descriptor } from './descriptor.ts';
import { descriptorFrom } from './descriptor.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';

/** A name that points at a manifest or an index, and so keeps it from garbage collection. */
export interface ImageRecord {
  name: string;
  labels: Record<string, string>;
  target: Descriptor;
  /** Nanoseconds since the epoch, set by containerd. */
  createdAt: bigint;
  updatedAt: bigint;
}

/** What a caller decides about an image. */
export type NewImage = Pick<ImageRecord, 'name' | 'labels' | 'target'>;

export type Images = ReturnType<typeof createImages>;

const service = api['containerd.services.images.v1.Images'];

export function createImages(connection: Connection) {
  return {
    async get(name: string, options?: CallOptions): Promise<ImageRecord | null> {
      const found = await orNull(connection.unary(service.Get, { name }, options));
      return found?.image ? imageFrom(found.image) : null;
    },

    async list(filters: string[] = [], options?: CallOptions): Promise<ImageRecord[]> {
      const { images } = await connection.unary(service.List, { filters }, options);
      return images.map(imageFrom);
    },

    /** Answers with what is recorded. `already_exists` if the name is taken. */
    async create({ name, labels, target }: NewImage, options?: CallOptions): Promise<ImageRecord> {
      const { image } = await connection.unary(service.Create, { image: { name, labels, target } }, options);
      return recorded(name, image);
    },

    /** Writes only what the paths name, such as `target` or `labels`. Answers with what is recorded now. */
    async update(
      { name, labels, target }: NewImage,
      fieldPaths: string[],
      options?: CallOptions,
    ): Promise<ImageRecord> {
      const request = { image: { name, labels, target }, updateMask: { paths: fieldPaths } };
      const { image } = await connection.unary(service.Update, request, options);
      return recorded(name, image);
    },

    /** False if it was already gone. With `sync` the garbage is collected before this resolves. */
    delete: (name: string, { sync }: { sync: boolean }, options?: CallOptions): Promise<boolean> =>
      wasThere(connection.unary(service.Delete, { name, sync }, options)),
  };
}

function recorded(name: string, image: Image__Output | null): ImageRecord {
  if (!image) throw new Fault('internal', `containerd answered without image ${name}`);
  return imageFrom(image);
}

function imageFrom({ name, labels, target, createdAt, updatedAt }: Image__Output): ImageRecord {
  return {
    name,
    labels,
    target: descriptorFrom(target),
    createdAt: nsFromTimestamp(createdAt),
    updatedAt: nsFromTimestamp(updatedAt),
  };
}
