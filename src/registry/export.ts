import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Pack } from 'tar-stream';
import type { Containerd } from '../containerd/client.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { isDigest } from '../image/descriptor.ts';
import type { FoundImage } from '../image/find-image.ts';
import type { Image } from '../image/image.ts';
import { indexType } from '../image/manifest.ts';
import { formatReference, parseReference } from '../image/reference.ts';
import { Fault } from '../lib/fault.ts';
import { findLocalImage } from './local-image.ts';

type Needs = Pick<Containerd, 'content'>;

/** An image, and the names that it gets in the archive; one without names is known by its digest alone. */
export interface Exported {
  image: Image;
  names: string[];
}

/** An image with all that the archive says of it. */
interface Located extends Exported {
  found: FoundImage;
}

/**
 * Packs images into a tar that is an OCI layout, with the manifest.json that `docker load` reads. Of an index
 * only the image for this machine goes along, since that is what was pulled; the index itself does too, so
 * that the digest stays. Throws `failed_precondition` before the first byte if a blob is not in containerd.
 */
export async function* exportArchive(
  { content }: Needs,
  images: readonly Exported[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const located: Located[] = [];
  for (const { image, names } of images) {
    located.push({ image, names, found: await findLocalImage({ content }, image.target) });
  }
  const blobs = blobsOf(located);
  for (const [digest] of blobs) await expectBlob({ content }, digest, signal);

  const { pack } = await import('tar-stream');
  const archive = pack();
  const filling = fill({ content }, { archive, blobs, located }, signal);
  // Its error also ends the archive, where it is met.
  filling.catch((error: unknown) => archive.destroy(error as Error));
  yield* archive as AsyncIterable<Uint8Array>;
  await filling;
}

/** What a reference to an image is called in an archive: nothing for an id, which is no name. */
export function archiveNames(ref: string, { id }: Image): string[] {
  const bare = ref.replace(/^sha256:/, '');
  if (isDigest(ref) || (/^[0-9a-f]+$/.test(bare) && id.slice('sha256:'.length).startsWith(bare))) return [];
  const reference = parseReference(ref);
  return [formatReference(reference.digest === null ? reference : { ...reference, tag: null })];
}

interface Filling {
  archive: Pack;
  blobs: ReadonlyMap<string, number>;
  located: readonly Located[];
}

async function fill(
  { content }: Needs,
  { archive, blobs, located }: Filling,
  signal: AbortSignal,
): Promise<void> {
  const file = (name: string, value: unknown) =>
    archive.entry({ name, mtime: new Date(0) }, JSON.stringify(value));
  file('oci-layout', { imageLayoutVersion: '1.0.0' });
  file('index.json', layoutIndex(located));
  file('manifest.json', dockerManifest(located));
  for (const [digest, size] of blobs) {
    const header = { name: blobPath(digest), size, mtime: new Date(0) };
    // Whoever reads the archive decides how fast it is filled.
    await pipeline(Readable.from(content.read(digest, {}, { signal })), archive.entry(header));
  }
  archive.finalize();
}

/** Every blob once, by digest with its size in bytes: manifests first, so that readers meet them early. */
function blobsOf(located: readonly Located[]): Map<string, number> {
  const blobs = new Map<string, number>();
  for (const { found } of located) {
    for (const { descriptor, data } of found.indexes) blobs.set(descriptor.digest, data.length);
    blobs.set(found.descriptor.digest, found.data.length);
  }
  for (const { found } of located) {
    for (const { digest, size } of [found.manifest.config, ...found.manifest.layers]) blobs.set(digest, size);
  }
  return blobs;
}

async function expectBlob({ content }: Needs, digest: string, signal: AbortSignal): Promise<void> {
  if ((await content.info(digest, { signal })) !== null) return;
  throw new Fault('failed_precondition', `${digest} is not in containerd; pull the image again`);
}

/** One entry for each name, as other tools write and read it. */
function layoutIndex(located: readonly Located[]) {
  const manifests = located.flatMap(({ image: { target }, names }) =>
    names.length === 0 ? [entryFor(target, {})] : names.map((name) => entryFor(target, annotationsFor(name))),
  );
  return { schemaVersion: 2, mediaType: indexType, manifests };
}

function entryFor({ mediaType, digest, size }: Descriptor, annotations: Record<string, string>) {
  return { mediaType, digest, size, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
}

function annotationsFor(name: string): Record<string, string> {
  const { tag } = parseReference(name);
  return {
    'io.containerd.image.name': name,
    ...(tag === null ? {} : { 'org.opencontainers.image.ref.name': tag }),
  };
}

function dockerManifest(located: readonly Located[]) {
  return located.map(({ found: { manifest }, names }) => ({
    Config: blobPath(manifest.config.digest),
    RepoTags: names.filter((name) => !name.includes('@')),
    Layers: manifest.layers.map(({ digest }) => blobPath(digest)),
  }));
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
