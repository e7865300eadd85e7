import type { Logger } from 'pino';
import type { ImagesConfig } from '../config/schema.ts';
import type { Containerd } from '../containerd/client.ts';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.ts';
import type { ImageFile } from '../image/config.ts';
import { MAX_CONFIG_BYTES } from '../image/config.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { sourceLabel } from '../image/distribution-source.ts';
import type { FoundImage } from '../image/find-image.ts';
import { findImage } from '../image/find-image.ts';
import type { ImageStore } from '../image/image.ts';
import { factsOf } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import { formatPlatform, hostPlatform, isFor } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import { formatReference } from '../image/reference.ts';
import { allSettled } from '../lib/all-settled.ts';
import { Fault } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { createArrivals } from './arrivals.ts';
import type { WantedBlob } from './fetch-blob.ts';
import { fetchBlob } from './fetch-blob.ts';
import { fetchConfig } from './fetch-config.ts';
import { createFirstFailure } from './first-failure.ts';
import type { HttpClient } from './http.ts';
import { holdLease } from './lease.ts';
import { readManifest } from './local-image.ts';
import { openRepository } from './open-repository.ts';
import type { PullObserver } from './progress.ts';
import { recordNames } from './record-names.ts';
import type { IsRemote } from './remote-snapshotter.ts';
import type { Repository, Resolved } from './repository.ts';
import type { Slots } from './slots.ts';
import { createSlots } from './slots.ts';
import type { StallGuard } from './stall-guard.ts';
import { startStallGuard } from './stall-guard.ts';
import type { Store } from './store-blob.ts';
import { storeBytes, storedManifests, storeNewBytes } from './store-blob.ts';
import type { TokenCache } from './token-cache.ts';
import { tieSnapshots, unpackImage } from './unpack.ts';
import { verifyImage } from './verify.ts';

export type ImageContainerd = Pick<
  Containerd,
  'content' | 'leases' | 'snapshots' | 'diff' | 'images' | 'introspection'
>;

export interface PullNeeds {
  containerd: ImageContainerd;
  images: Pick<ImageStore, 'record'>;
  isRemote: IsRemote;
  http: HttpClient;
  config: ImagesConfig;
  locks: KeyedLock;
  /** Downloads of all pulls together. */
  slots: Slots;
  tokens: TokenCache;
  log: Logger;
}

/** What to pull, decided. */
export interface PullPlan {
  reference: Reference;
  auth: AuthConfig__Output | null;
  snapshotter: string;
  /** Null for this machine's. */
  platform: Platform | null;
  /** Whether containerd has the name: it may well point at what is there. */
  known: boolean;
  progress: PullObserver;
}

/**
 * Brings an image into containerd: content, snapshots, records. A lease holds all of it until the records
 * do, so a pull that ends anywhere leaves nothing but downloads that the next one resumes.
 * Returns the image's id.
 */
export async function pullImage(needs: PullNeeds, plan: PullPlan, parent: AbortSignal): Promise<string> {
  const { containerd, config, log } = needs;
  const { reference, progress } = plan;
  const name = formatReference(reference);
  const [repository, remote] = await Promise.all([
    openRepository(needs, plan),
    needs.isRemote(plan.snapshotter, parent),
  ]);
  const pace = { ms: config.stallTimeoutMs, minRate: config.minRate };
  using guard = startStallGuard(`pull of ${name}`, pace, parent);
  const { signal } = guard;
  await using held = new AsyncDisposableStack();
  const [lease, resolved] = await allSettled([
    holdLease(containerd, log, signal).then((own) => held.use(own)),
    guard.watch(() => repository.resolve(plan, signal)),
  ]);
  const { target } = resolved;
  progress.phase('verify');
  await verifyImage(needs, { name, target }, signal);
  progress.phase('fetch');
  const platform = plan.platform ?? hostPlatform(process.arch);
  const found = await findImage(
    target,
    platform,
    manifestReader(needs, plan, { repository, resolved, guard }),
  );
  progress.blobs([found.manifest.config, ...found.manifest.layers]);
  const file = await fetchContent(needs, plan, { repository, found, remote, lease: lease.id, guard });

  progress.phase('record');
  const id = found.manifest.config.digest;
  // An index stands for the image of the machine that looks, so that another platform's goes without.
  const whole = plan.platform === null ? found : { ...found, indexes: [] };
  const recorded = whole.indexes[0] ?? found;
  const names = recordNames(reference, recorded.descriptor.digest, id);
  // The size that a server states in a header is its word alone; ours is counted.
  const counted = { ...recorded.descriptor, size: recorded.data.length };
  await needs.images.record({ names, target: counted, facts: factsOf(whole, file) }, signal);
  return id;
}

/** Brings manifests from where they are: from the answer that told of the target, containerd, or a registry. */
function manifestReader(
  { containerd }: Pick<PullNeeds, 'containerd'>,
  { known }: Pick<PullPlan, 'known'>,
  { repository, resolved, guard }: { repository: Repository; resolved: Resolved; guard: StallGuard },
): (descriptor: Descriptor) => Promise<Buffer> {
  const { signal } = guard;
  return async (descriptor) => {
    const { digest } = descriptor;
    if (resolved.data !== null && digest === resolved.target.digest) return resolved.data;
    const stored = known ? await readManifest(containerd, digest, signal) : null;
    return stored ?? (await guard.watch(() => repository.manifest(descriptor, signal)));
  };
}

interface Fetching {
  repository: Repository;
  found: FoundImage;
  /** See `isRemote`. */
  remote: boolean;
  lease: string;
  guard: StallGuard;
}

/** Config and layers come in parallel; each layer is unpacked when it and all below it are there. */
async function fetchContent(needs: PullNeeds, plan: PullPlan, fetching: Fetching): Promise<ImageFile> {
  const { containerd, locks, log, config: settings } = needs;
  const { repository, found, remote, lease, guard } = fetching;
  const { config, layers } = found.manifest;
  if (config.size > MAX_CONFIG_BYTES) {
    throw new Fault('failed_precondition', `the image's config has over ${MAX_CONFIG_BYTES} bytes`);
  }

  const together = createFirstFailure(guard.signal);
  const { signal } = together;
  const store: Store = { containerd, lease, signal };
  const origin = sourceLabel(plan.reference);
  const slots = createSlots(settings.maxConcurrentDownloads);
  const { progress } = plan;
  const blobNeeds = { repository, store, locks, slots: needs.slots, guard, progress, log };
  const fetch = (wanted: Omit<WantedBlob, 'labels'>) =>
    slots(() => fetchBlob(blobNeeds, { ...wanted, labels: origin }), signal);

  const storeManifests = async () => {
    for (const blob of storedManifests(found)) {
      const keep = plan.known ? storeBytes : storeNewBytes;
      await keep(store, { ...blob, labels: { ...blob.labels, ...origin } });
    }
  };
  const stored = together.step(storeManifests());
  const { snapshotter } = plan;
  const configured = together.step(
    fetchConfig(containerd, fetch, { config, snapshotter, isLikelyNew: !plan.known }),
  );
  const arrivals = createArrivals(layers, (blob) => together.step(fetch({ blob })));
  const unpack = async () => {
    const { file, isTied } = await configured;
    expectPlatform(plan.platform, file.platform);
    const { diffIds } = file;
    const unpackNeeds = { containerd, locks, snapshotter, remote, lease, signal, progress, log };
    const source = { reference: formatReference(plan.reference), manifest: found.descriptor.digest };
    const image = { ...source, config: config.digest, layers, diffIds };
    await unpackImage(unpackNeeds, image, (place) => arrivals.layer(place));
    if (!isTied) await tieSnapshots(unpackNeeds, image);
    return file;
  };
  // A remote snapshotter says which layers it needs; for any other they come while the config does.
  if (!remote) arrivals.begin(0);
  try {
    const [file] = await allSettled([together.step(unpack()), stored]);
    return file;
  } finally {
    await arrivals.idle();
  }
}

/** An image without an index says only in its config what it is for. */
function expectPlatform(wanted: Platform | null, offered: Platform): void {
  if (wanted === null || isFor(wanted, offered)) return;
  const words = `no image for ${formatPlatform(wanted)}: it is for ${formatPlatform(offered)}`;
  throw new Fault('failed_precondition', words);
}
