import type { StreamImagesRequest__Output } from '../../gen/runtime/v1/StreamImagesRequest.ts';
import type { StreamImagesResponse } from '../../gen/runtime/v1/StreamImagesResponse.ts';
import { messagesOf } from '../messages.ts';
import type { Services } from '../services.ts';
import { selectImages, toCriImage } from './cri-image.ts';

/** As ListImages, for nodes with more images than one message can carry. */
export async function* streamImages(
  { images }: Pick<Services, 'images'>,
  { filter }: StreamImagesRequest__Output,
): AsyncGenerator<StreamImagesResponse> {
  const selected = selectImages(images.store, filter?.image?.image ?? '').map(toCriImage);
  for await (const piece of messagesOf(selected)) yield { images: piece };
}
