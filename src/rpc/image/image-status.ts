import type { ImageStatusRequest__Output } from '../../gen/runtime/v1/ImageStatusRequest.ts';
import type { ImageStatusResponse } from '../../gen/runtime/v1/ImageStatusResponse.ts';
import { MAX_CONFIG_BYTES } from '../../image/config.ts';
import type { Image } from '../../image/image.ts';
import type { Call } from '../../lib/call.ts';
import { during, Fault } from '../../lib/fault.ts';
import type { Services } from '../services.ts';
import { toCriImage } from './cri-image.ts';

type Needs = Pick<Services, 'images' | 'containerd'>;

/** An image that is not there is an empty answer, not an error. */
export async function imageStatus(
  needs: Needs,
  { image: spec, verbose }: ImageStatusRequest__Output,
  { signal }: Call,
): Promise<ImageStatusResponse> {
  if (!spec?.image) throw new Fault('invalid_argument', 'image.image is required');

  const image = needs.images.store.find(spec.image);
  if (image === null) return {};
  return { image: toCriImage(image), ...(verbose ? { info: await verboseInfo(needs, image, signal) } : {}) };
}

/** The key and the two first fields are those of containerd's own CRI, which tools read. */
async function verboseInfo(
  { containerd }: Needs,
  { id, chainId, target, names }: Image,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  try {
    const data = await containerd.content.readAll(id, MAX_CONFIG_BYTES, { signal });
    const imageSpec: unknown = JSON.parse(data.toString());
    return { info: JSON.stringify({ chainID: chainId, imageSpec, target, names }) };
  } catch (error) {
    throw during(`read config of image ${id}`, error, 'internal');
  }
}
