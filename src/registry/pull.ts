import type { Logger } from 'pino';
import type { ImagesConfig } from '../config/schema.ts';
import type { Containerd } from '../containerd/client.ts';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.ts';
import { MAX_CONFIG_BYTES } from '../image/config.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { sourceLabel } from '../image/distribution-source.ts';
import type { FoundImage } from '../image/find-image.ts';
import { findImage } from '../image/find-image.ts';
import type { Platform } from '../image/platform.ts';
import { formatPlatform, hostPlatform, isFor } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import { formatReference } from '../image/reference.ts';
import { allSettled } from '../lib/all-settled.ts';
import { Fault } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { createArrivals } from './arrivals.ts';
import { fetchBlob } from './fetch-blob.ts';
import { createFirstFailure } from './first-failure.ts';
import type { HttpClient } from './http.ts';
import { recordImage, recordNames } from './image-records.ts';
import { holdLease } from './lease.ts';
import { readImageFile } from './local-image.ts';
import { openRepository } from './open-repository.ts';
import type { PullObserver } from './progress.ts';
import { isRemote } from './remote-snapshotter.ts';
import type { Repository } from './repository.ts';
import type { Slots } from './slots.ts';
import { createSlots } from './slots.ts';
import type { StallGuard } from './stall-guard.ts';
import { startStallGuard } from './stall-guard.ts';
import type { Store } from './store-blob.ts';
import { storeBytes, storedManifests } from './store-blob.ts';
import type { TokenCache } from './token-cache.ts';
import { unpackImage } from './unpack.ts';
import { verifyImage } from './verify.ts';

export type ImageContainerd = Pick<
  Containerd,
  'content' | 'leases' | 'snapshots' | 'diff' | 'images' | 'introspection'
>;

export interface PullNeeds {
  containerd: ImageContainerd;
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
  progress: PullObserver;
}

/** The names that now point at the image, the first of which is enough to find it. */
export interface Pulled {
  id: string;
  names: string[];
}

/**
 * Brings an image into containerd: content, snapshots, records. A lease holds all of it until the records
 * do, so a pull that ends anywhere leaves nothing but downloads that the next one resumes.
 */
export async function pullImage(needs: PullNeeds, plan: PullPlan, parent: AbortSignal): Promise<Pulled> {
  const { containerd, config, log } = needs;
  const { reference, progress } = plan;
  const name = formatReference(reference);
  const [repository, remote] = await Promise.all([
    openRepository(needs, plan),
    isRemote(containerd, plan.snapshotter, parent),
  ]);
  const pace = { ms: config.stallTimeoutMs, minRate: config.minRate };
  using guard = startStallGuard(`pull of ${name}`, pace, parent);
  const { signal } = guard;
  await using lease = await holdLease(containerd, log, signal);

  const target = await guard.watch(() => repository.resolve(signal));
  progress.phase('verify');
  await verifyImage(needs, { name, target }, signal);
  progress.phase('fetch');
  const platform = plan.platform ?? hostPlatform(process.arch);
  const found = await findImage(target, platform, (descriptor) =>
    guard.watch(() => repository.manifest(descriptor, signal)),
  );
  progress.blobs([found.manifest.config, ...found.manifest.layers]);
  await fetchContent(needs, plan, { repository, found, remote, lease: lease.id, guard });

  progress.phase('record');
  const id = found.manifest.config.digest;
  // An index stands for the image of the machine that looks, so that another platform's goes without.
  const recorded = plan.platform === null ? target : found.descriptor;
  const names = recordNames(reference, recorded.digest, id);
  await recordImage(containerd, { names, target: measured(recorded, found) }, signal);
  return { id, names };
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
async function fetchContent(needs: PullNeeds, plan: PullPlan, fetching: Fetching): Promise<void> {
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
  const fetch = (blob: Descriptor) => slots(() => fetchBlob(blobNeeds, { blob, labels: origin }), signal);

  const storeManifests = async () => {
    for (const blob of storedManifests(found)) {
      await storeBytes(store, { ...blob, labels: { ...blob.labels, ...origin } });
    }
  };
  const stored = together.step(storeManifests());
  const configured = together.step(fetch(config));
  const arrivals = createArrivals(layers, (layer) => together.step(fetch(layer)));
  const unpack = async () => {
    await configured;
    const file = await readImageFile(containerd, config.digest);
    expectPlatform(plan.platform, file.platform);
    const { diffIds } = file;
    const { snapshotter } = plan;
    const unpackNeeds = { containerd, locks, snapshotter, remote, lease, signal, progress, log };
    const source = { reference: formatReference(plan.reference), manifest: found.descriptor.digest };
    await unpackImage(unpackNeeds, { ...source, config: config.digest, layers, diffIds }, (place) =>
      arrivals.layer(place),
    );
  };
  // A remote snapshotter says which layers it needs; for any other they come while the config does.
  if (!remote) arrivals.begin(0);
  try {
    await allSettled([stored, configured, together.step(unpack())]);
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

/** The size that a server states in a header is its word alone; ours was counted. */
function measured(target: Descriptor, { descriptor, data, indexes }: FoundImage): Descriptor {
  const above = target.digest === descriptor.digest ? undefined : indexes[0];
  return { ...target, size: (above?.data ?? data).length };
}
