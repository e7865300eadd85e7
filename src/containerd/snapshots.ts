import type { Info__Output } from '../gen/containerd/services/snapshots/v1/Info.ts';
import { Fault } from '../lib/fault.ts';
import { wasThere } from './absent.ts';
import type { CallOptions, Connection } from './connection.ts';
import type { Mount } from './mount.ts';
import { mountFrom } from './mount.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';

/** `active` is writable, `view` read-only, `committed` a layer that others may stand on. */
export type SnapshotKind = 'unknown' | 'view' | 'active' | 'committed';

export interface SnapshotInfo {
  name: string;
  /** Empty for the lowest layer. */
  parent: string;
  kind: SnapshotKind;
  createdAt: bigint;
  labels: Record<string, string>;
}

export type Snapshots = ReturnType<typeof createSnapshots>;

const service = api['containerd.services.snapshots.v1.Snapshots'];

export function createSnapshots(connection: Connection) {
  return {
    /** A writable snapshot on `parent` (empty: on nothing). `already_exists` if the key is taken. */
    async prepare(
      snapshotter: string,
      key: string,
      parent: string,
      labels: Record<string, string> = {},
      options?: CallOptions,
    ): Promise<Mount[]> {
      const request = { snapshotter, key, parent, labels };
      const { mounts } = await connection.unary(service.Prepare, request, options);
      return mounts.map(mountFrom);
    },

    /** As `prepare`, read-only. */
    async view(
      snapshotter: string,
      key: string,
      parent: string,
      labels: Record<string, string> = {},
      options?: CallOptions,
    ): Promise<Mount[]> {
      const request = { snapshotter, key, parent, labels };
      const { mounts } = await connection.unary(service.View, request, options);
      return mounts.map(mountFrom);
    },

    async mounts(snapshotter: string, key: string, options?: CallOptions): Promise<Mount[]> {
      const { mounts } = await connection.unary(service.Mounts, { snapshotter, key }, options);
      return mounts.map(mountFrom);
    },

    /** Turns the active snapshot `key` into the layer `name`. `already_exists` if there is one. */
    async commit(
      snapshotter: string,
      name: string,
      key: string,
      labels: Record<string, string> = {},
      options?: CallOptions,
    ): Promise<void> {
      await connection.unary(service.Commit, { snapshotter, name, key, labels }, options);
    },

    /** False if it was already gone. `failed_precondition` while others stand on it. */
    remove: (snapshotter: string, key: string, options?: CallOptions): Promise<boolean> =>
      wasThere(connection.unary(service.Remove, { snapshotter, key }, options)),

    async stat(snapshotter: string, key: string, options?: CallOptions): Promise<SnapshotInfo> {
      const { info } = await connection.unary(service.Stat, { snapshotter, key }, options);
      if (!info) throw new Fault('internal', `containerd answered without snapshot ${key}`);
      return infoFrom(info);
    },

    async list(snapshotter: string, filters: string[] = [], options?: CallOptions): Promise<SnapshotInfo[]> {
      const infos: SnapshotInfo[] = [];
      for await (const page of connection.serverStream(service.List, { snapshotter, filters }, options)) {
        infos.push(...page.info.map(infoFrom));
      }
      return infos;
    },

    /** What the snapshot itself holds, without its parents. */
    async usage(
      snapshotter: string,
      key: string,
      options?: CallOptions,
    ): Promise<{ size: number; inodes: number }> {
      const { size, inodes } = await connection.unary(service.Usage, { snapshotter, key }, options);
      return { size: Number(size), inodes: Number(inodes) };
    },

    /** Sets the given labels and keeps the others; an empty value takes the label away. */
    async updateLabels(
      snapshotter: string,
      name: string,
      labels: Record<string, string>,
      options?: CallOptions,
    ): Promise<void> {
      const paths = Object.keys(labels).map((label) => `labels.${label}`);
      await connection.unary(
        service.Update,
        { snapshotter, info: { name, labels }, updateMask: { paths } },
        options,
      );
    },
  };
}

function infoFrom(wire: Info__Output): SnapshotInfo {
  return {
    name: wire.name,
    parent: wire.parent,
    kind: wire.kind.toLowerCase() as SnapshotKind,
    createdAt: nsFromTimestamp(wire.createdAt),
    labels: wire.labels,
  };
}
