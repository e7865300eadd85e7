import type { Logger } from 'pino';
import type { ImagesConfig } from '../config/schema.ts';
import type { Containerd } from '../containerd/client.ts';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.ts';
import { MAX_CONFIG_BYTES } from '../image/config.ts';
import { credentialsFromAuth } from '../image/credentials.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { FoundImage } from '../image/find-image.ts';
import { findImage } from '../image/find-image.ts';
import { hostPlatform } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import { allSettled } from '../lib/all-settled.ts';
import { Fault } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { createAuthorizer } from './authorizer.ts';
import { endpointsFor } from './endpoints.ts';
import { fetchBlob } from './fetch-blob.ts';
import type { HttpClient } from './http.ts';
import { recordImage, recordNames } from './image-records.ts';
import { holdLease } from './lease.ts';
import { readImageFile } from './local-image.ts';
import type { Repository } from './repository.ts';
import { createRepository } from './repository.ts';
import { createSlots } from './slots.ts';
import type { Store } from './store-blob.ts';
import { storeBytes, storedManifests } from './store-blob.ts';
import { unpackImage } from './unpack.ts';

export type ImageContainerd = Pick<Containerd, 'content' | 'leases' | 'snapshots' | 'diff' | 'images'>;

export interface PullNeeds {
  containerd: ImageContainerd;
  http: HttpClient;
  config: ImagesConfig;
  locks: KeyedLock;
  log: Logger;
}

/** What to pull, decided. */
export interface PullPlan {
  reference: Reference;
  auth: AuthConfig__Output | null;
  snapshotter: string;
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
export async function pullImage(needs: PullNeeds, plan: PullPlan, signal: AbortSignal): Promise<Pulled> {
  const { containerd, log } = needs;
  const { reference } = plan;
  const repository = await openRepository(needs, plan);
  await using lease = await holdLease(containerd, log, signal);

  const target = await repository.resolve(signal);
  const found = await findImage(target, hostPlatform(process.arch), (descriptor) =>
    repository.manifest(descriptor, signal),
  );
  await fetchContent(needs, plan, { repository, found, lease: lease.id, signal });

  const id = found.manifest.config.digest;
  const names = recordNames(reference, target.digest, id);
  await recordImage(containerd, { names, target: measured(target, found) }, signal);
  return { id, names };
}

async function openRepository(
  { config, http }: PullNeeds,
  { reference, auth }: PullPlan,
): Promise<Repository> {
  const endpoints = await endpointsFor(config.certsDir, reference.host);
  const scope = `repository:${reference.path}:pull`;
  const routes = endpoints.map((endpoint) => {
    const credentials = credentialsFromAuth(
      auth,
      endpoint.mirror ? new URL(endpoint.url).host : reference.host,
    );
    return { endpoint, authorizer: createAuthorizer({ http, tls: endpoint, credentials, scope }) };
  });
  return createRepository(http, routes, reference);
}

interface Fetching {
  repository: Repository;
  found: FoundImage;
  lease: string;
  signal: AbortSignal;
}

/** Config and layers come in parallel; each layer is unpacked when it and all below it are there. */
async function fetchContent(needs: PullNeeds, plan: PullPlan, fetching: Fetching): Promise<void> {
  const { containerd, locks, log, config: settings } = needs;
  const { repository, found, lease } = fetching;
  const { config, layers } = found.manifest;
  if (config.size > MAX_CONFIG_BYTES) {
    throw new Fault('failed_precondition', `the image's config has over ${MAX_CONFIG_BYTES} bytes`);
  }

  const failed = new AbortController();
  const signal = AbortSignal.any([fetching.signal, failed.signal]);
  const store: Store = { containerd, lease, signal };
  const origin = originLabel(plan.reference);
  const slots = createSlots(settings.maxConcurrentDownloads);
  const { stallTimeoutMs } = settings;
  const fetch = (blob: Descriptor) =>
    slots(() => fetchBlob({ repository, store, locks, stallTimeoutMs, log }, blob, origin));

  // The first failure ends all the others. Its reason is what is told, not theirs.
  const orStop = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failed.abort(error);
      throw failed.signal.reason;
    }
  };

  const storeManifests = async () => {
    for (const blob of storedManifests(found)) {
      await storeBytes(store, { ...blob, labels: { ...blob.labels, ...origin } });
    }
  };
  const stored = orStop(storeManifests());
  const configured = orStop(fetch(config));
  const arrivals = layers.map((layer) => orStop(fetch(layer)));
  const unpack = async () => {
    await configured;
    const { diffIds } = await readImageFile(containerd, config.digest);
    const unpackNeeds = { containerd, locks, snapshotter: plan.snapshotter, lease, signal, log };
    await unpackImage(
      unpackNeeds,
      { config: config.digest, layers, diffIds },
      async (place) => await arrivals[place],
    );
  };
  await allSettled([stored, configured, orStop(unpack()), ...arrivals]);
}

/** Tells other tools where a blob can be had again, as containerd's own pulls do. */
function originLabel({ host, path }: Reference): Record<string, string> {
  return { [`containerd.io/distribution.source.${host}`]: path };
}

/** The size that a server states in a header is its word alone; ours was counted. */
function measured(target: Descriptor, { data, indexes }: FoundImage): Descriptor {
  return { ...target, size: (indexes[0]?.data ?? data).length };
}
