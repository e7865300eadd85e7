import type { ListImagesRequest__Output } from '../../gen/runtime/v1/ListImagesRequest.ts';
import type { ListImagesResponse } from '../../gen/runtime/v1/ListImagesResponse.ts';
import type { Services } from '../services.ts';
import { selectImages, toCriImage } from './cri-image.ts';

export function listImages(
  { images }: Pick<Services, 'images'>,
  { filter }: ListImagesRequest__Output,
): ListImagesResponse {
  return { images: selectImages(images.store, filter?.image?.image ?? '').map(toCriImage) };
}
