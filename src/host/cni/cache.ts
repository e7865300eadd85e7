import { appendFileSync, closeSync, constants, openSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { Fault } from '../../lib/fault.ts';
import { hostFault } from '../errno.ts';
import { ensureDir, listDir, readText } from '../files.ts';
import type { PodIdentity } from './attachment.ts';
import type { NetworkConfig } from './config.ts';
import type { JsonObject } from './json-object.ts';
import { isJsonObject } from './json-object.ts';

/**
 * All that a DEL needs, one file per sandbox. It is written before ADD, with `result` null, so that
 * what a killed daemon left half done can be freed; the result is added to it after that, as a second line.
 * It goes away only when a DEL has succeeded. The network is kept whole, as its file may change or go meanwhile.
 */
export interface CacheEntry {
  readonly version: 1;
  readonly id: string;
  readonly netns: string;
  readonly pod: PodIdentity;
  readonly network: NetworkConfig;
  readonly capabilityArgs: JsonObject;
  readonly result: JsonObject | null;
}

const SUFFIX = '.json';

/** Annotations of the pod are in the records, which are not for every user of the host. */
const MODE = 0o600;

export class AttachmentCache {
  readonly #dir: string;
  /** What this process wrote, which is not read again. */
  readonly #written = new Map<string, CacheEntry>();

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** One cache at a time may be open on a directory. */
  static async open(dir: string): Promise<AttachmentCache> {
    await ensureDir(dir, 0o700);
    // An older cristal that was killed while it wrote left the file under its temporary name.
    const halfWritten = (await listDir(dir)).filter((name) => !name.endsWith(SUFFIX));
    await Promise.all(halfWritten.map((name) => rm(join(dir, name), { force: true })));
    return new AttachmentCache(dir);
  }

  /** Null if there is none. Throws `data_loss` if there is one that cannot be read. */
  async read(id: string): Promise<CacheEntry | null> {
    const path = this.#path(id);
    const written = this.#written.get(id);
    if (written) return written;
    const text = await readText(path);
    if (text === null) return null;
    const entry = entryFrom(text);
    if (entry === null) throw new Fault('data_loss', `network record ${path} is not one of version 1`);
    return entry;
  }

  /**
   * Writes the intent. It survives a power cut, as the addresses in a plugin's store on disk may. It needs no
   * temporary name: half of one was written before any plugin was called.
   */
  async begin(entry: CacheEntry): Promise<void> {
    const path = this.#path(entry.id);
    try {
      await using file = await open(path, 'w', MODE);
      await file.writeFile(`${JSON.stringify(entry)}\n`);
      await file.datasync();
    } catch (error) {
      throw hostFault(`write ${path}`, error);
    }
    this.#written.set(entry.id, entry);
  }

  /** Whether its record was cut off while `begin` wrote it, before any plugin was called: its line has no end. */
  async isHalfBegun(id: string): Promise<boolean> {
    const text = await readText(this.#path(id));
    return text !== null && !text.includes('\n') && entryFrom(text) === null;
  }

  /**
   * Adds the result. This survives our own death, but is not waited for on the disk: after a power
   * cut a DEL without it will do. Half of it leaves the intent as it was.
   */
  complete(entry: CacheEntry): void {
    const path = this.#path(entry.id);
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND);
      try {
        appendFileSync(fd, `${JSON.stringify(entry.result)}\n`);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw hostFault(`write ${path}`, error);
    }
    this.#written.set(entry.id, entry);
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
    this.#written.delete(id);
  }

  async ids(): Promise<string[]> {
    const names = await listDir(this.#dir);
    return names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
  }

  #path(id: string): string {
    // The specification's rule for container ids, which also keeps a path inside of the directory.
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(id)) {
      throw new Fault('invalid_argument', `"${id}" is not a sandbox id`);
    }
    return join(this.#dir, id + SUFFIX);
  }
}

/** What is recorded in a cache, without opening it: somebody else may have. What cannot be read is left out. */
export async function recordedNetworks(dir: string): Promise<Pick<CacheEntry, 'id' | 'network'>[]> {
  const entries: Pick<CacheEntry, 'id' | 'network'>[] = [];
  for (const name of (await listDir(dir)).filter((file) => file.endsWith(SUFFIX))) {
    const text = await readText(join(dir, name));
    const entry = text === null ? null : entryFrom(text);
    if (entry) entries.push({ id: name.slice(0, -SUFFIX.length), network: entry.network });
  }
  return entries;
}

/** Null for what is none. An older cristal wrote the result into the first line. */
function entryFrom(text: string): CacheEntry | null {
  const [intent = '', result = ''] = text.split('\n');
  const entry = objectFrom(intent);
  if (entry?.version !== 1) return null;
  return {
    ...(entry as unknown as CacheEntry),
    result: objectFrom(result) ?? (entry.result as JsonObject | null),
  };
}

function objectFrom(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null; // none, or half of one
  }
}
