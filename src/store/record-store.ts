import type { CallOptions } from '../containerd/connection.ts';
import type { ContainerRecord as ContainerdObject, Containers } from '../containerd/containers.ts';
import type { TypedAny } from '../containerd/typed-any.ts';
import { readText, removeTree } from '../host/files.ts';
import { writePage } from '../host/page-file.ts';
import { span } from '../lib/trace.ts';
import { IndexById } from './index-by-id.ts';
import { formatRecord, packRecord, parseRecord, unpackRecord } from './typed-json.ts';

/** What tells one kind of record from another. */
export interface RecordKind<R, S> {
  /** For messages: `pod sandbox`, `container`. */
  readonly kind: string;
  /** The key of our extension on containerd's container object. */
  readonly extension: string;
  /** What a record, and a status, cannot do without. */
  readonly recordKeys: readonly (keyof R & string)[];
  readonly statusKeys: readonly (keyof S & string)[];
  /** What statuses have besides, and those that an older cristal wrote do not: there it is null. */
  readonly laterStatusKeys?: readonly (keyof S & string)[];
  /** Holds one directory with a status file per object; outlives a reboot. */
  readonly root: string;
}

/** The fields of containerd's own that a record is stored beside. */
export type ObjectFields = Omit<ContainerdObject, 'id' | 'extensions' | 'createdAt'>;

/**
 * All objects of one kind: the index in memory, and how each is written down. What never changes
 * (`R`) is an extension on a containerd container object; what changes (`S`) is a small file that is
 * written over, because an update of containerd's store costs a disk sync (decision 0001).
 */
export class RecordStore<
  R extends { readonly id: string; readonly name: string; readonly createdAt: bigint },
  S extends object,
> extends IndexById<R & S> {
  readonly #kind: RecordKind<R, S>;
  readonly #objects: Pick<Containers, 'create' | 'delete'>;

  constructor(kind: RecordKind<R, S>, objects: Pick<Containers, 'create' | 'delete'>) {
    super(kind.kind);
    this.#kind = kind;
    this.#objects = objects;
  }

  /** Writes the status file, and nothing else. The first one is the intent, before anything that could leak. */
  async saveStatus(id: string, status: S): Promise<void> {
    const { statusKeys, laterStatusKeys = [] } = this.#kind;
    const kept = Object.fromEntries([...statusKeys, ...laterStatusKeys].map((key) => [key, status[key]]));
    await span('file', 'write status', async () => writePage(this.#statusFile(id), formatRecord(kept)));
  }

  /** Null when there is no status file. Throws Fault data_loss when it cannot be read as one. */
  async readStatus(id: string): Promise<S | null> {
    const text = await readText(this.#statusFile(id));
    if (text === null) return null;
    try {
      return this.#parseStatus(text);
    } catch {
      // Another cristal may have been writing at that moment, as when `cristal doctor` reads what the daemon writes.
      const again = await readText(this.#statusFile(id));
      return again === null ? null : this.#parseStatus(again);
    }
  }

  #parseStatus(text: string): S {
    const later = (this.#kind.laterStatusKeys ?? []).map((key) => [key, null]);
    return { ...Object.fromEntries(later), ...parseRecord<S>(text, this.#kind.statusKeys) };
  }

  /** Writes the record into containerd's metadata store. */
  async saveRecord(record: R, object: ObjectFields, options?: CallOptions): Promise<void> {
    const kept = Object.fromEntries(this.#kind.recordKeys.map((key) => [key, record[key]]));
    const extensions = { [this.#kind.extension]: packRecord(`cristal.dev/${this.#kind.extension}`, kept) };
    await this.#objects.create(
      { ...object, id: record.id, createdAt: record.createdAt, extensions },
      options,
    );
  }

  /** The record on a containerd object, null when it is none of ours. Throws Fault data_loss. */
  readRecord(object: { extensions: Readonly<Record<string, TypedAny>> }): R | null {
    const packed = object.extensions[this.#kind.extension];
    return packed ? unpackRecord<R>(packed, this.#kind.recordKeys) : null;
  }

  /** Changes memory and the status file together. One that was removed meanwhile stays removed. */
  async setStatus(id: string, change: Partial<S>): Promise<void> {
    const changed = this.update(id, change as Partial<R & S>);
    if (changed) await this.saveStatus(id, changed);
  }

  /** Deletes the record in containerd. Already gone is done. */
  async deleteRecord(id: string, options?: CallOptions): Promise<void> {
    await this.#objects.delete(id, options);
  }

  /** Forgets what is outside containerd: the status file, then the index. Already gone is done. */
  async forget(id: string): Promise<void> {
    await removeTree(`${this.#kind.root}/${id}`);
    this.remove(id);
  }

  #statusFile(id: string): string {
    return `${this.#kind.root}/${id}/status.json`;
  }
}
