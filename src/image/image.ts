import type { ImageConfig } from '../lib/image-config.ts';
import type { Descriptor } from './descriptor.ts';

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

/** The images that containerd has, indexed in memory. */
export interface ImageStore {
  list(): Image[];
  /** By id, by an unambiguous prefix of it, by name (normalised here) or by digest reference. */
  find(ref: string): Image | null;
  /** Reads one of containerd's image records anew; a name that is gone leaves the index. */
  refresh(name: string): Promise<void>;
  /** Reads all records. An image that cannot be read is logged and left out. */
  load(): Promise<void>;
}

/** The labels by which containerd's own CRI marks what it manages and what garbage collection must spare. */
export const MANAGED_LABEL = 'io.cri-containerd.image';
export const PINNED_LABEL = 'io.cri-containerd.pinned';
