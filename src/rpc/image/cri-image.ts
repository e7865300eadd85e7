import type { Image as CriImage } from '../../gen/runtime/v1/Image.ts';
import { imageUser } from '../../image/config.ts';
import type { Image, ImageStore } from '../../image/image.ts';

/** An image in the words of the CRI. */
export function toCriImage({ id, repoTags, repoDigests, size, config, pinned }: Image): CriImage {
  const { uid, username } = imageUser(config.user);
  return {
    id,
    repoTags,
    repoDigests,
    size,
    uid: uid === null ? null : { value: uid },
    username,
    spec: { image: id },
    pinned,
  };
}

/** The images that a list's filter selects: all, or the one that the filter names in any form. */
export function selectImages(store: ImageStore, wanted: string): Image[] {
  if (wanted === '') return store.list();
  const image = store.find(wanted);
  return image === null ? [] : [image];
}
