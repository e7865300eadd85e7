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

/** The text of a status file. */
export function formatRecord(record: object): string {
  return `${encodeJson({ version: VERSION, ...record })}\n`;
}

/** Reads a record's text: our version, and every required key there. */
export function parseRecord<T>(text: string, required: readonly (keyof T & string)[]): T {
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
