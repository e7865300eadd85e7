import type { RemoveImageRequest__Output } from '../../gen/runtime/v1/RemoveImageRequest.ts';
import type { RemoveImageResponse } from '../../gen/runtime/v1/RemoveImageResponse.ts';
import { Fault } from '../../lib/fault.ts';
import type { Services } from '../services.ts';

/** Removes an image by any of its names, and with it all of them. One that is gone is removed. */
export async function removeImage(
  { images }: Pick<Services, 'images'>,
  { image: spec }: RemoveImageRequest__Output,
): Promise<RemoveImageResponse> {
  if (!spec?.image) throw new Fault('invalid_argument', 'image.image is required');

  const known = images.store.find(spec.image);
  if (known === null) return {};
  // A name may just have been moved to another image by another tool, and would take that one along.
  for (const name of known.names) await images.store.refresh(name);
  const image = images.store.find(known.id);
  if (image !== null) await images.remove(image);
  return {};
}
