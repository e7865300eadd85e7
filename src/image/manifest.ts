import { during, Fault } from '../lib/fault.ts';
import type { Descriptor } from './descriptor.ts';
import { isDigest } from './descriptor.ts';
import type { Platform } from './platform.ts';

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker.distribution';

const MANIFESTS = new Set([`${OCI}.manifest.v1+json`, `${DOCKER}.manifest.v2+json`]);
const INDEXES = new Set([`${OCI}.index.v1+json`, `${DOCKER}.manifest.list.v2+json`]);

/** The types of manifests that we make ourselves, and of an archive's index.json. */
export const manifestType = `${OCI}.manifest.v1+json`;
export const indexType = `${OCI}.index.v1+json`;

/** What we tell a registry that we can read. */
export const ACCEPTED_MANIFESTS = [...MANIFESTS, ...INDEXES].join(', ');

/** A larger manifest is refused, as most registries do. Bytes. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** The manifest of one platform's image. */
export interface Manifest {
  kind: 'manifest';
  mediaType: string;
  config: Descriptor;
  /** Lowest first. */
  layers: Layer[];
}

export interface Layer extends Descriptor {
  /** Where else it may be had, because registries must not distribute it. */
  urls: readonly string[];
}

/** A list of images of different platforms. */
export interface Index {
  kind: 'index';
  mediaType: string;
  entries: IndexEntry[];
}

export interface IndexEntry extends Descriptor {
  platform: Platform | null;
}

/** Whether a blob of this type is a manifest or an index that we can read. */
export function isManifestType(mediaType: string): boolean {
  return MANIFESTS.has(mediaType) || INDEXES.has(mediaType);
}

/** Whether a blob of this type lists other manifests. */
export function isIndexType(mediaType: string): boolean {
  return INDEXES.has(mediaType);
}

/**
 * Reads a manifest or index; `statedType` is the type it came with, which loses against the one inside.
 * Throws `failed_precondition` for Docker's schema 1, for artifacts and for what is neither.
 */
export function parseManifest(data: Uint8Array, statedType: string): Manifest | Index {
  const root = readTable(data);
  const stated = typeof root['mediaType'] === 'string' ? root['mediaType'] : statedType;
  if (root['schemaVersion'] === 1 || stated.startsWith(`${DOCKER}.manifest.v1`)) {
    throw refusal('Docker schema 1 images are not supported; push the image again with a current tool');
  }
  if (Array.isArray(root['manifests'])) {
    const mediaType = INDEXES.has(stated) ? stated : indexType;
    return { kind: 'index', mediaType, entries: root['manifests'].map(entryFrom) };
  }
  if (!Array.isArray(root['layers'])) throw refusal('neither an image manifest nor an index');

  const mediaType = MANIFESTS.has(stated) ? stated : manifestType;
  const config = descriptorFrom(root['config'], 'config');
  const layers = root['layers'].map(layerFrom);
  return { kind: 'manifest', mediaType, config, layers };
}

/** Whether a manifest's config is an image's, and not an OCI artifact's. */
export function isImageConfigType(mediaType: string): boolean {
  return (
    mediaType === `${OCI}.config.v1+json` || mediaType === 'application/vnd.docker.container.image.v1+json'
  );
}

/**
 * The type under which containerd's differ should unpack a layer. Old versions do not know Docker's name
 * for zstd, and for unpacking only the compression matters. What we do not know is passed on as it is.
 */
export function unpackType(mediaType: string): string {
  const match = /^application\/vnd\.docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:[.+](gzip|zstd))?$/.exec(
    mediaType,
  );
  if (match === null) return mediaType;
  return `${OCI}.layer.v1.tar${match[1] === undefined ? '' : `+${match[1]}`}`;
}

/** Labels by which containerd's garbage collection finds a manifest's blobs. */
export function childLabels(manifest: Manifest): Record<string, string> {
  const layers = manifest.layers.map(({ digest }, place) => [
    `containerd.io/gc.ref.content.l.${place}`,
    digest,
  ]);
  return { 'containerd.io/gc.ref.content.config': manifest.config.digest, ...Object.fromEntries(layers) };
}

/** The same for an index, whether or not all of its images were fetched: each has its place. */
export function indexLabels(entries: readonly Descriptor[]): Record<string, string> {
  return Object.fromEntries(
    entries.map(({ digest }, place) => [`containerd.io/gc.ref.content.m.${place}`, digest]),
  );
}

function readTable(data: Uint8Array): Record<string, unknown> {
  try {
    const root: unknown = JSON.parse(Buffer.from(data).toString());
    if (typeof root === 'object' && root !== null) return root as Record<string, unknown>;
  } catch (error) {
    throw during('read manifest', error, 'failed_precondition');
  }
  throw refusal('not a JSON object');
}

function descriptorFrom(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size, annotations } = (value ?? {}) as Record<string, unknown>;
  if (typeof digest !== 'string' || !isDigest(digest)) throw refusal(`${what} has no valid digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw refusal(`${what} has no valid size`);
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size,
    annotations: (annotations ?? {}) as Record<string, string>,
  };
}

function layerFrom(value: unknown, place: number): Layer {
  const descriptor = descriptorFrom(value, `layer ${place}`);
  const { urls } = value as { urls?: unknown };
  const texts = Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : [];
  return { ...descriptor, urls: texts };
}

function entryFrom(value: unknown, place: number): IndexEntry {
  const descriptor = descriptorFrom(value, `manifest ${place}`);
  const platform = (value as { platform?: Partial<Platform> | null }).platform ?? null;
  return {
    ...descriptor,
    platform: platform && {
      os: platform.os ?? '',
      architecture: platform.architecture ?? '',
      variant: platform.variant ?? '',
    },
  };
}

function refusal(why: string): Fault {
  return new Fault('failed_precondition', `manifest: ${why}`);
}
