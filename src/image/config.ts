import { during, Fault } from '../lib/fault.ts';
import type { ImageConfig } from '../lib/image-config.ts';
import { isDigest } from './descriptor.ts';
import type { Platform } from './platform.ts';

/** What cristal reads of an image's configuration blob. */
export interface ImageFile {
  config: ImageConfig;
  /** Digests of the uncompressed layers, lowest first. */
  diffIds: string[];
  /** Empty where the image does not say. */
  platform: Platform;
}

/** A configuration larger than this is no configuration. Bytes. */
export const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** Reads an OCI or Docker image configuration. Throws `failed_precondition` for anything else. */
export function parseImageFile(data: Uint8Array): ImageFile {
  const root = asTable(parseJson(data));
  const config = asTable(root?.['config']);
  const diffIds = texts(asTable(root?.['rootfs'])?.['diff_ids']);
  if (root === null) throw new Fault('failed_precondition', 'image config is not a JSON object');
  const bad = diffIds.find((diffId) => !isDigest(diffId));
  if (bad !== undefined) {
    throw new Fault('failed_precondition', `image config: ${JSON.stringify(bad)} is not a diff id`);
  }

  return {
    diffIds,
    platform: {
      os: text(root['os']),
      architecture: text(root['architecture']),
      variant: text(root['variant']),
    },
    config: {
      env: texts(config?.['Env']),
      entrypoint: texts(config?.['Entrypoint']),
      cmd: texts(config?.['Cmd']),
      workingDir: text(config?.['WorkingDir']),
      user: text(config?.['User']),
      stopSignal: text(config?.['StopSignal']),
      volumes: Object.keys(asTable(config?.['Volumes']) ?? {}),
      labels: labels(config?.['Labels']),
    },
  };
}

/** The user part of the image's `USER` in the CRI's two forms; at most one of them is set. */
export function imageUser(user: string): { uid: number | null; username: string } {
  const name = user.split(':', 1)[0] ?? '';
  // What is not a number to us is a name, which then nobody has.
  return /^\d{1,15}$/.test(name) ? { uid: Number(name), username: '' } : { uid: null, username: name };
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString());
  } catch (error) {
    throw during('read image config', error, 'failed_precondition');
  }
}

function asTable(value: unknown): Record<string, unknown> | null {
  const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isTable ? (value as Record<string, unknown>) : null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Builders write `null` for an empty list, so everything that is not a list of strings counts as empty. */
function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function labels(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(asTable(value) ?? {}).map(([name, label]) => [name, text(label)]));
}
