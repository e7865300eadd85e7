import type { Containerd } from '../containerd/client.ts';
import type { Writer } from '../containerd/content-writer.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { missingLabels } from '../image/distribution-source.ts';
import type { FoundImage } from '../image/find-image.ts';
import { childLabels, indexLabels } from '../image/manifest.ts';
import { during, Fault, isCode } from '../lib/fault.ts';
import { pause } from './pause.ts';

/** Where blobs go, and what holds them there. */
export interface Store {
  containerd: Pick<Containerd, 'content' | 'leases'>;
  lease: string;
  signal: AbortSignal;
}

/** A blob with its bytes at hand, such as a manifest. */
export interface SmallBlob {
  descriptor: Descriptor;
  data: Buffer;
  labels: Record<string, string>;
}

/** What goes to containerd in one message, and is held in memory until then. Bytes. */
export const MAX_SMALL_BYTES = 256 * 1024;

/** Other writers of one ingest let go within moments; one that died is found by containerd. */
const BUSY_TRIES = 50;
const BUSY_PAUSE_MS = 200;

/** The name under which an unfinished blob waits to be continued. */
export function ingestRef(digest: string): string {
  return `cristal-${digest}`;
}

/**
 * Whether containerd has the blob, which from then on is held by the lease and has the labels (besides
 * those that it had).
 */
export async function adoptBlob(
  store: Store,
  digest: string,
  labels: Record<string, string>,
): Promise<boolean> {
  const { containerd, lease, signal } = store;
  // Most are not there, and what is written under the lease it holds by itself: a look costs containerd less.
  if ((await containerd.content.info(digest, { signal })) === null) return false;
  await containerd.leases.addResource(lease, { id: digest, type: 'content' }, { signal });
  // Until then it could be collected.
  const info = await containerd.content.info(digest, { signal });
  if (info === null) return false;

  const missing = missingLabels(info.labels, labels);
  const paths = Object.keys(missing).map((name) => `labels.${name}`);
  if (paths.length > 0) await containerd.content.update(digest, missing, paths, { signal });
  return true;
}

/** Manifest first, then the indexes that refer to it, each with the labels that keep its children. */
export function storedManifests({ descriptor, data, manifest, indexes }: FoundImage): SmallBlob[] {
  const own = { descriptor: { ...descriptor, size: data.length }, data, labels: childLabels(manifest) };
  const above = indexes.map((index) => ({
    descriptor: { ...index.descriptor, size: index.data.length },
    data: index.data,
    labels: indexLabels(index.entries),
  }));
  return [own, ...above.toReversed()];
}

/** Stores a blob whose bytes are at hand, or keeps the one that is there. */
export async function storeBytes(store: Store, blob: SmallBlob): Promise<void> {
  if (await adoptBlob(store, blob.descriptor.digest, blob.labels)) return;
  await storeNewBytes(store, blob);
}

/** As `storeBytes`, with fewer calls for a blob that is hardly there. */
export async function storeNewBytes(store: Store, blob: SmallBlob): Promise<void> {
  const { descriptor, data, labels } = blob;
  if (data.length <= MAX_SMALL_BYTES && (await putBlob(store, blob))) return;
  if (await adoptBlob(store, descriptor.digest, labels)) return;
  const writer = await openIngest(store, descriptor);
  if (writer !== null) {
    await using open = writer;
    await open.write(data.subarray(open.offset));
    await commitIngest(store, open, { descriptor, labels });
  } else {
    await adoptBlob(store, descriptor.digest, labels);
  }
}

/** False if it is there. */
async function putBlob(store: Store, { descriptor, data, labels }: SmallBlob): Promise<boolean> {
  const { containerd, lease, signal } = store;
  const { digest } = descriptor;
  const ref = ingestRef(digest);
  try {
    await whenFree(`store ${ref}`, signal, () =>
      containerd.content.put({ ref, expected: digest, data, labels, lease }, { signal }),
    );
    return true;
  } catch (error) {
    if (isCode(error, 'already_exists')) return false;
    throw isCode(error, 'failed_precondition') ? await wrongBytes(store, digest, error) : error;
  }
}

/** Opens or resumes the ingest of a blob; null if it turns out that the blob is there. */
export async function openIngest(
  store: Store,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): Promise<Writer | null> {
  const { containerd, lease, signal } = store;
  const ref = ingestRef(digest);
  const open = () => containerd.content.writer({ ref, total: size, expected: digest, lease }, { signal });
  for (;;) {
    try {
      const writer = await whenFree(`open ingest ${ref}`, signal, open);
      if (writer.offset <= size) return writer;
      await writer.close();
      await containerd.content.abort(ref, { signal });
    } catch (error) {
      if (isCode(error, 'already_exists')) return null;
      throw error;
    }
  }
}

/** Does what wants an ingest as soon as nobody else writes to it. */
async function whenFree<T>(step: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if (!isCode(error, 'unavailable') || tries === BUSY_TRIES) throw during(step, error);
      await pause(BUSY_PAUSE_MS, signal);
    }
  }
}

/** Turns a filled ingest into a blob. One with the wrong bytes is thrown away, so that a retry starts anew. */
export async function commitIngest(
  store: Store,
  writer: Writer,
  { descriptor, labels }: { descriptor: Pick<Descriptor, 'digest'>; labels: Record<string, string> },
): Promise<void> {
  try {
    await writer.commit(labels);
  } catch (error) {
    await writer.close();
    if (!isCode(error, 'failed_precondition')) throw during(`commit ${descriptor.digest}`, error);
    throw await wrongBytes(store, descriptor.digest, error);
  }
}

async function wrongBytes({ containerd, signal }: Store, digest: string, cause: unknown): Promise<Fault> {
  await containerd.content.abort(ingestRef(digest), { signal });
  return notItsBytes(digest, { cause });
}

/** The failure of a blob whose bytes have another digest than its own. */
export function notItsBytes(digest: string, options?: ErrorOptions): Fault {
  return new Fault('data_loss', `the bytes received are not those of ${digest}`, options);
}
