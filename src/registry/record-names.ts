import type { Reference } from '../image/reference.ts';
import { formatReference, repositoryOf } from '../image/reference.ts';

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
