import type { ImageConfig } from '../lib/image-config.ts';
import { chainIds } from './chain-id.ts';
import type { ImageFile } from './config.ts';
import type { Descriptor } from './descriptor.ts';
import type { FoundImage } from './find-image.ts';

/** One image as the CRI sees it: all of containerd's records that share one config. */
export interface Image {
  /** Digest of the image's config, `sha256:…`. */
  id: string;
  repoTags: string[];
  repoDigests: string[];
  /** Name of the committed snapshot that holds all layers; empty for an image without layers. */
  chainId: string;
  /** Bytes of manifest, config and layers as downloaded. */
  size: number;
  config: ImageConfig;
  pinned: boolean;
  /** Every name containerd has for it, the id's own record included. */
  names: string[];
  /** What the names point at: a manifest or an index. */
  target: Descriptor;
}

/** What content says of an image. It never changes, because all of it is named by digest. */
export type ImageFacts = Pick<Image, 'id' | 'chainId' | 'size' | 'config'>;

export function factsOf(
  { manifest, data, indexes }: Pick<FoundImage, 'manifest' | 'data' | 'indexes'>,
  { config, diffIds }: Pick<ImageFile, 'config' | 'diffIds'>,
): ImageFacts {
  const layers = manifest.layers.reduce((sum, { size }) => sum + size, 0);
  const above = indexes.reduce((sum, index) => sum + index.data.length, 0);
  return {
    id: manifest.config.digest,
    config,
    chainId: chainIds(diffIds).at(-1) ?? '',
    size: above + data.length + manifest.config.size + layers,
  };
}

/** What is to be recorded of an image. */
export interface NewNames {
  /** The first is recorded before the others. */
  names: readonly string[];
  target: Descriptor;
  facts: ImageFacts;
}

/** The images that containerd has, indexed in memory. */
export interface ImageStore {
  list(): Image[];
  /** By id, by an unambiguous prefix of it, by name (normalised here) or by digest reference. */
  find(ref: string): Image | null;
  /** Has containerd record the names, or move those that exist to the new target. */
  record(image: NewNames, signal: AbortSignal): Promise<void>;
  /** Reads one of containerd's image records anew; a name that is gone leaves the index. */
  refresh(name: string): Promise<void>;
  /** To be told of each event about the name: `refresh`, unless it tells of what was recorded here. */
  changed(name: string): Promise<void>;
  /** Reads all records. An image that cannot be read is logged and left out. */
  load(): Promise<void>;
}

/** The labels by which containerd's own CRI marks what it manages and what garbage collection must spare. */
export const MANAGED_LABEL = 'io.cri-containerd.image';
export const PINNED_LABEL = 'io.cri-containerd.pinned';
