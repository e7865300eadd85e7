import type { Descriptor } from '../image/descriptor.ts';
import type { Image } from '../image/image.ts';
import { Fault } from '../lib/fault.ts';
import { holdLease } from './lease.ts';
import { findLocalImage, readImageFile } from './local-image.ts';
import type { PullNeeds } from './pull.ts';
import { hasSnapshot, tieSnapshots, unpackImage } from './unpack.ts';

/**
 * Makes the snapshots of an image that has none in this snapshotter: another tool may have pulled it, or
 * it was pulled for another runtime. Throws `failed_precondition` if a layer's bytes are gone.
 */
export async function ensureUnpacked(
  needs: Pick<PullNeeds, 'containerd' | 'isRemote' | 'locks' | 'log'>,
  { image, snapshotter }: { image: Image; snapshotter: string },
  signal: AbortSignal,
): Promise<void> {
  const { containerd, log } = needs;
  if (image.chainId === '' || (await hasSnapshot({ containerd, snapshotter, signal }, image.chainId))) return;

  await using lease = await holdLease(containerd, log, signal);
  const { manifest, descriptor } = await findLocalImage(containerd, image.target);
  const { diffIds } = await readImageFile(containerd, manifest.config.digest);
  const layers = {
    reference: image.repoTags[0] ?? image.repoDigests[0] ?? null,
    manifest: descriptor.digest,
    config: manifest.config.digest,
    layers: manifest.layers,
    diffIds,
  };
  const remote = await needs.isRemote(snapshotter, signal);
  const unpackNeeds = { ...needs, snapshotter, remote, lease: lease.id, signal, progress: null };
  await unpackImage(unpackNeeds, layers, (place) => expectLayer(needs, manifest.layers[place], signal));
  await tieSnapshots(unpackNeeds, layers);
}

async function expectLayer(
  { containerd }: Pick<PullNeeds, 'containerd'>,
  layer: Descriptor | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (layer === undefined || (await containerd.content.info(layer.digest, { signal })) !== null) return;
  throw new Fault('failed_precondition', `layer ${layer.digest} is not in containerd; pull the image again`);
}
