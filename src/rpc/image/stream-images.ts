import type { StreamImagesRequest__Output } from '../../gen/runtime/v1/StreamImagesRequest.ts';
import type { StreamImagesResponse } from '../../gen/runtime/v1/StreamImagesResponse.ts';
import type { Services } from '../services.ts';
import { selectImages, toCriImage } from './cri-image.ts';

/** Images in one message: far below the size that a message may have. */
const CHUNK = 200;

/** As ListImages, for nodes with more images than one message can carry. */
export async function* streamImages(
  { images }: Pick<Services, 'images'>,
  { filter }: StreamImagesRequest__Output,
): AsyncGenerator<StreamImagesResponse> {
  const selected = selectImages(images.store, filter?.image?.image ?? '');
  for (let start = 0; start < selected.length; start += CHUNK) {
    yield { images: selected.slice(start, start + CHUNK).map(toCriImage) };
  }
}
