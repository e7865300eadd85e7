import type { Containerd } from '../containerd/client.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { MANAGED_LABEL } from '../image/image.ts';
import type { Reference } from '../image/reference.ts';
import { formatReference, repositoryOf } from '../image/reference.ts';
import { isCode } from '../lib/fault.ts';

/**
 * The names under which containerd's own CRI records an image: by tag (if that is how it was asked for),
 * by digest, and by id. A tag beside a digest names nothing, because nobody looked where it points.
 */
export function recordNames(reference: Reference | null, target: string, configDigest: string): string[] {
  if (reference === null) return [configDigest];
  const byDigest = `${repositoryOf(reference)}@${target}`;
  return reference.digest === null
    ? [formatReference(reference), byDigest, configDigest]
    : [byDigest, configDigest];
}

/** Creates the records, or moves those that exist to the new target. */
export async function recordImage(
  { images }: Pick<Containerd, 'images'>,
  { names, target }: { names: string[]; target: Descriptor },
  signal: AbortSignal,
): Promise<void> {
  const labels = { [MANAGED_LABEL]: 'managed' };
  for (const name of names) {
    const image = { name, labels, target };
    try {
      await images.create(image, { signal });
    } catch (error) {
      if (!isCode(error, 'already_exists')) throw error;
      const paths = ['target', ...Object.keys(labels).map((label) => `labels.${label}`)];
      await images.update(image, paths, { signal });
    }
  }
}
