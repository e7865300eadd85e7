import type { Containerd } from '../containerd/client.ts';
import type { ImageFile } from '../image/config.ts';
import { parseImageFile } from '../image/config.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { WantedBlob } from './fetch-blob.ts';
import { readImageFile } from './local-image.ts';
import { tyingLabel } from './unpack.ts';

/** An image's config, and whether it has the label that ties its snapshots to it. */
export interface FetchedConfig {
  file: ImageFile;
  isTied: boolean;
}

/**
 * Brings an image's config. The label comes with it where that costs no call of its own: before there are
 * snapshots it ties nothing, and until there are names the lease holds both.
 */
export async function fetchConfig(
  containerd: Pick<Containerd, 'content'>,
  fetch: (wanted: Omit<WantedBlob, 'labels'>) => Promise<Buffer | null>,
  { config, snapshotter, isLikelyNew }: { config: Descriptor; snapshotter: string; isLikelyNew: boolean },
): Promise<FetchedConfig> {
  const labelsFrom = (data: Buffer) => tyingLabel(snapshotter, parseImageFile(data).diffIds);
  const data = await fetch({ blob: config, labelsFrom, isLikelyNew });
  if (data === null) return { file: await readImageFile(containerd, config.digest), isTied: false };
  return { file: parseImageFile(data), isTied: true };
}
