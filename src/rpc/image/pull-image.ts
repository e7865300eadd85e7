import type { PullImageRequest__Output } from '../../gen/runtime/v1/PullImageRequest.ts';
import type { PullImageResponse } from '../../gen/runtime/v1/PullImageResponse.ts';
import type { Call } from '../../lib/call.ts';
import { Fault } from '../../lib/fault.ts';
import type { Services } from '../services.ts';
import { snapshotterFor } from './snapshotter.ts';

/** By this annotation of the pod a kubelet tells the handler that does not fill in the field for it. */
const HANDLER_ANNOTATION = 'io.containerd.cri.runtime-handler';

/** Pulls, unpacks and records an image. Answers its id. A pull goes on when its caller leaves. */
export async function pullImage(
  { images, config }: Pick<Services, 'images' | 'config'>,
  { image: spec, auth, sandboxConfig }: PullImageRequest__Output,
  { signal }: Call,
): Promise<PullImageResponse> {
  if (!spec?.image) throw new Fault('invalid_argument', 'image.image is required');

  // Anybody who makes pods writes annotations, so that one that means nothing to us is none.
  const annotated = sandboxConfig?.annotations[HANDLER_ANNOTATION] ?? '';
  const told = Object.hasOwn(config.runtimes, annotated) ? annotated : '';
  const snapshotter = snapshotterFor(config, spec.runtimeHandler === '' ? told : spec.runtimeHandler);
  const image = await images.pull({ reference: spec.image, auth, snapshotter }, signal);
  return { imageRef: image.id };
}
