import { crc32 } from 'node:zlib';

import type { TypedAny } from '../containerd/typed-any.ts';
import { Fault } from '../lib/fault.ts';
import { decodeJson, encodeJson } from '../lib/json.ts';

/** What all our records carry, so that a later cristal knows what it reads. */
const VERSION = 1;

/** Packs a record for containerd's metadata store. */
export function packRecord(typeUrl: string, record: object): TypedAny {
  return { typeUrl, value: Buffer.from(encodeJson({ version: VERSION, ...record })) };
}

/** Reads a record back. Throws Fault data_loss, naming what is wrong with it. */
export function unpackRecord<T>(packed: { value: Uint8Array }, required: readonly (keyof T & string)[]): T {
  return parseRecord<T>(Buffer.from(packed.value).toString('utf8'), required);
}

/** The text of a status file. Its checksum stands first, and tells whether a file is all of one writing. */
export function formatRecord(record: object): string {
  const text = encodeJson({ version: VERSION, ...record });
  return `{"sum":"${checksum(text)}",${text.slice(1)}\n`;
}

/** What `formatRecord` put before the rest. Records in containerd, and files of an older cristal, have none. */
const SUM = /^\{"sum":"([0-9a-f]{8})",/;

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** Reads a record's text: whole, of our version, and every required key there. */
export function parseRecord<T>(written: string, required: readonly (keyof T & string)[]): T {
  const [head, sum] = SUM.exec(written) ?? [];
  const text = head === undefined ? written : `{${written.slice(head.length).trimEnd()}`;
  if (sum !== undefined && sum !== checksum(text)) {
    throw new Fault('data_loss', 'record is damaged: its checksum is that of another text');
  }
  let value: unknown;
  try {
    value = decodeJson(text);
  } catch (cause) {
    throw new Fault('data_loss', 'record is not JSON', { cause });
  }
  if (value === null || typeof value !== 'object') throw new Fault('data_loss', 'record is not an object');
  const version = 'version' in value ? value.version : undefined;
  if (version !== VERSION)
    throw new Fault('data_loss', `record has version ${String(version)}, not ${VERSION}`);
  const missing = required.filter((key) => !(key in value));
  if (missing.length > 0) throw new Fault('data_loss', `record lacks ${missing.join(', ')}`);
  return value as T;
}
