import type { Descriptor } from './descriptor.ts';

/** What a snapshotter that fetches layers by itself has to know of an image. */
export interface SnapshotSource {
  /** Full reference; null for an image that no registry has. */
  reference: string | null;
  /** Digest of the image's manifest. */
  manifest: string;
  /** Lowest first. */
  layers: readonly Pick<Descriptor, 'digest' | 'annotations'>[];
}

/** containerd refuses a label whose name and value together have more characters. */
const MAX_LABEL = 4096;
const PREFIX = 'containerd.io/snapshot/';

/**
 * The labels by which stargz, nydus, overlaybd and their like find a layer where it came from: those of
 * containerd's own CRI, and what the image's builder wrote for them on the layer.
 */
export function snapshotLabels(
  { reference, manifest, layers }: SnapshotSource,
  place: number,
): Record<string, string> {
  const inherited = Object.entries(layers[place]?.annotations ?? {}).filter(
    ([name, value]) =>
      name.startsWith(PREFIX) && typeof value === 'string' && name.length + value.length <= MAX_LABEL,
  );
  const labels = Object.fromEntries(inherited);
  if (reference === null) return labels;
  const above = `${PREFIX}cri.image-layers`;
  return {
    ...labels,
    [`${PREFIX}cri.image-ref`]: reference,
    [`${PREFIX}cri.manifest-digest`]: manifest,
    [`${PREFIX}cri.layer-digest`]: layers[place]?.digest ?? '',
    [above]: joined(
      layers.slice(place).map(({ digest }) => digest),
      MAX_LABEL - above.length,
    ),
  };
}

/** As many as fit, with commas between. */
function joined(digests: readonly string[], room: number): string {
  const fits = digests.findIndex((_, place) => digests.slice(0, place + 1).join(',').length > room);
  return (fits === -1 ? digests : digests.slice(0, fits)).join(',');
}
