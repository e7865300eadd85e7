import type { Logger } from 'pino';
import type { ContainerRecord as ContainerdObject } from '../containerd/containers.ts';
import type { Task } from '../containerd/tasks.ts';
import { listDir } from '../host/files.ts';
import { messageOf } from '../lib/fault.ts';
import type { RecordStore } from '../store/record-store.ts';

/** How many things are mended side by side, so that one shim that hangs does not hold up the rest. */
const SIDE_BY_SIDE = 8;

/** What containerd has, asked once at start. */
export interface Found {
  readonly objects: readonly ContainerdObject[];
  /** By container id. */
  readonly tasks: ReadonlyMap<string, Task>;
}

/** One id that containerd or our own directory knows, with what was written down of it. */
export interface Remains<R, S> {
  readonly id: string;
  /** Null where there is no record in containerd, or no status file. */
  readonly record: R | null;
  readonly status: S | null;
}

/**
 * Calls `mend` for everything that is left of one kind of object. A record that cannot be read is
 * logged, and left alone with all that belongs to it. Answers the ids that were mended.
 */
export async function mendEach<R extends { id: string; name: string; createdAt: bigint }, S extends object>(
  { store, root, log }: { store: RecordStore<R, S>; root: string; log: Logger },
  objects: readonly ContainerdObject[],
  mend: (remains: Remains<R, S>) => Promise<unknown>,
): Promise<string[]> {
  const records = readRecords(store, objects, log);
  const ids = [...new Set([...records.keys(), ...(await listDir(root))])];
  const readable = ids.filter((id) => records.get(id) !== 'unreadable');
  const queue = readable.values();
  const worker = async () => {
    for (const id of queue) {
      const record = records.get(id);
      if (record === 'unreadable') continue;
      await guarded(log, { id }, 'could not be recovered, set aside', async () => {
        await mend({ id, record: record ?? null, status: await statusOrNull(store, id, log) });
      });
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  return readable;
}

function readRecords<R extends { id: string; name: string; createdAt: bigint }, S extends object>(
  store: RecordStore<R, S>,
  objects: readonly ContainerdObject[],
  log: Logger,
): Map<string, R | 'unreadable'> {
  const records = new Map<string, R | 'unreadable'>();
  for (const object of objects) {
    try {
      const record = store.readRecord(object);
      if (record) records.set(object.id, record);
    } catch (err) {
      log.error({ err, id: object.id }, 'record is unreadable, set aside');
      records.set(object.id, 'unreadable');
    }
  }
  return records;
}

/** A status that cannot be read counts as lost: the record and the task say enough to go on. */
async function statusOrNull<S>(
  store: { readStatus(id: string): Promise<S | null> },
  id: string,
  log: Logger,
): Promise<S | null> {
  try {
    return await store.readStatus(id);
  } catch (err) {
    log.error({ err, id }, 'status file is unreadable, taken as lost');
    return null;
  }
}

/** Does something that may fail without keeping the rest from coming up. */
export async function guarded(
  log: Logger,
  fields: object,
  message: string,
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act();
  } catch (err) {
    log.error({ err, cause: messageOf(err), ...fields }, message);
  }
}
