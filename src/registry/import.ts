import { factsOf } from '../image/image.ts';
import { indexType, isIndexType, parseManifest } from '../image/manifest.ts';
import { hostPlatform, selectEntry } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import { parseReference } from '../image/reference.ts';
import { Fault } from '../lib/fault.ts';
import { readArchive } from './archive.ts';
import type { ArchivedImage } from './docker-archive.ts';
import { dockerImages } from './docker-archive.ts';
import { holdLease } from './lease.ts';
import { findLocalImage, readImageFile } from './local-image.ts';
import type { PullNeeds } from './pull.ts';
import { recordNames } from './record-names.ts';
import type { Store } from './store-blob.ts';
import { storeBytes, storedManifests } from './store-blob.ts';
import { tieSnapshots, unpackImage } from './unpack.ts';

interface ImportPlan {
  archive: AsyncIterable<Uint8Array>;
  snapshotter: string;
}

type Needs = Pick<PullNeeds, 'containerd' | 'images' | 'isRemote' | 'locks' | 'log'>;

/**
 * Brings in the images of an OCI layout or of what `docker save` wrote, like a pull. Throws
 * `invalid_argument` if the archive is neither, or has nothing for this machine.
 */
export async function importArchive(needs: Needs, plan: ImportPlan, signal: AbortSignal): Promise<string[]> {
  await using lease = await holdLease(needs.containerd, needs.log, signal);
  const store: Store = { containerd: needs.containerd, lease: lease.id, signal };
  const archive = await readArchive(store, plan.archive);

  const index = archive.indexes.get('index.json');
  const manifest = archive.indexes.get('manifest.json');
  const images =
    index !== undefined
      ? layoutImages(index)
      : manifest !== undefined
        ? await dockerImages(store, manifest, archive.files)
        : [];
  if (images.length === 0) throw new Fault('invalid_argument', 'the archive has no image for this machine');

  const imported: string[] = [];
  for (const image of images) imported.push(await importOne(needs, plan, { image, store }));
  return imported;
}

async function importOne(
  needs: Needs,
  { snapshotter }: ImportPlan,
  { image, store }: { image: ArchivedImage; store: Store },
): Promise<string> {
  const { containerd } = needs;
  const { lease, signal } = store;
  const { target, references } = image;
  const found = await findLocalImage(containerd, target);
  for (const blob of storedManifests(found)) await storeBytes(store, blob);

  const { config, layers } = found.manifest;
  const file = await readImageFile(containerd, config.digest);
  const { diffIds } = file;
  // All of the archive has been read by now, so that a layer that is missing fails where it is unpacked.
  const remote = await needs.isRemote(snapshotter, signal);
  const unpackNeeds = { ...needs, snapshotter, remote, lease, signal, progress: null };
  const source = { reference: null, manifest: found.descriptor.digest };
  const unpacked = { ...source, config: config.digest, layers, diffIds };
  await unpackImage(unpackNeeds, unpacked, async () => {});
  await tieSnapshots(unpackNeeds, unpacked);

  const names = references.flatMap((reference) => recordNames(reference, target.digest, config.digest));
  const unique = [...new Set([...names, config.digest])];
  await needs.images.record({ names: unique, target, facts: factsOf(found, file) }, signal);
  return config.digest;
}

/** What index.json of an OCI layout lists, without what is for other machines. */
export function layoutImages(index: Buffer): ArchivedImage[] {
  const parsed = parseManifest(index, indexType);
  if (parsed.kind !== 'index') throw new Fault('invalid_argument', 'index.json of the archive is no index');
  const host = hostPlatform(process.arch);
  return parsed.entries
    .filter((entry) => isIndexType(entry.mediaType) || selectEntry([entry], host) !== null)
    .map(({ mediaType, digest, size, annotations }) => ({
      // The annotations belong to the archive's list, not to the image.
      target: { mediaType, digest, size, annotations: {} },
      references: referencesFrom(annotations),
    }));
}

/** A mere tag, which the OCI specification allows as a name, does not say what of. */
function referencesFrom(annotations: Record<string, string>): Reference[] {
  const full = annotations['io.containerd.image.name'];
  const short = annotations['org.opencontainers.image.ref.name'] ?? '';
  const name = full ?? (/[/:]/.test(short) ? short : '');
  return name === '' ? [] : [parseReference(name)];
}
