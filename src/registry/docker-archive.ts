import { createHash } from 'node:crypto';
import type { Descriptor } from '../image/descriptor.ts';
import { manifestType } from '../image/manifest.ts';
import type { Reference } from '../image/reference.ts';
import { parseReference } from '../image/reference.ts';
import { during, Fault } from '../lib/fault.ts';
import type { StoredFile } from './archive.ts';
import type { Store } from './store-blob.ts';
import { storeBytes } from './store-blob.ts';

/** An image in an archive, and the names that the archive gives it. */
export interface ArchivedImage {
  target: Descriptor;
  references: Reference[];
}

/** One image in manifest.json of a Docker archive; the paths are those in the archive. */
interface DockerImage {
  Config: string;
  RepoTags: string[] | null;
  Layers: string[];
}

/** Such an archive has no manifests, so one is made for each image. */
export async function dockerImages(
  store: Store,
  manifest: Buffer,
  files: ReadonlyMap<string, StoredFile>,
): Promise<ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const image of readList(manifest)) {
    const data = Buffer.from(JSON.stringify(manifestFor(image, files)));
    const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`;
    const descriptor = { mediaType: manifestType, digest, size: data.length, annotations: {} };
    await storeBytes(store, { descriptor, data, labels: {} });
    images.push({ target: descriptor, references: (image.RepoTags ?? []).map(parseReference) });
  }
  return images;
}

function manifestFor(image: DockerImage, files: ReadonlyMap<string, StoredFile>) {
  const file = (path: string): StoredFile => {
    const found = files.get(path);
    if (found === undefined) throw new Fault('invalid_argument', `the archive lacks ${path}`);
    return found;
  };
  const config = file(image.Config);
  return {
    schemaVersion: 2,
    mediaType: manifestType,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: config.digest,
      size: config.size,
    },
    layers: image.Layers.map(file).map(({ digest, size, compression }) => ({
      mediaType: `application/vnd.oci.image.layer.v1.tar${compression === 'none' ? '' : `+${compression}`}`,
      digest,
      size,
    })),
  };
}

function readList(manifest: Buffer): DockerImage[] {
  try {
    return JSON.parse(manifest.toString()) as DockerImage[];
  } catch (error) {
    throw during('read manifest.json of the archive', error, 'invalid_argument');
  }
}
