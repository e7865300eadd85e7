import type { Containerd } from '../containerd/client.ts';
import type { ImageFile } from '../image/config.ts';
import { MAX_CONFIG_BYTES, parseImageFile } from '../image/config.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { FoundImage } from '../image/find-image.ts';
import { findImage } from '../image/find-image.ts';
import { MAX_MANIFEST_BYTES } from '../image/manifest.ts';
import { hostPlatform } from '../image/platform.ts';
import { isCode } from '../lib/fault.ts';

type Needs = Pick<Containerd, 'content'>;

/** The image for this machine below a target, from what containerd has. */
export function findLocalImage({ content }: Needs, target: Descriptor): Promise<FoundImage> {
  const read = ({ digest }: Descriptor) => content.readAll(digest, MAX_MANIFEST_BYTES);
  return findImage(target, hostPlatform(process.arch), read);
}

/** A manifest or index that containerd has; null for one that it has not. */
export async function readManifest(
  { content }: Needs,
  digest: string,
  signal: AbortSignal,
): Promise<Buffer | null> {
  try {
    return await content.readAll(digest, MAX_MANIFEST_BYTES, { signal });
  } catch (error) {
    if (isCode(error, 'not_found')) return null;
    throw error;
  }
}

/** The configuration of an image that containerd has. */
export async function readImageFile({ content }: Needs, digest: string): Promise<ImageFile> {
  return parseImageFile(await content.readAll(digest, MAX_CONFIG_BYTES));
}
