import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Containerd } from '../containerd/client.ts';
import type { Mount } from '../containerd/mount.ts';
import { chainIds } from '../image/chain-id.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { unpackType } from '../image/manifest.ts';
import type { SnapshotSource } from '../image/snapshot-labels.ts';
import { snapshotLabels } from '../image/snapshot-labels.ts';
import { during, Fault, isCode } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { span } from '../lib/trace.ts';
import type { PullObserver } from './progress.ts';

export interface UnpackNeeds {
  containerd: Pick<Containerd, 'snapshots' | 'diff' | 'leases' | 'content'>;
  /** Shared by all pulls: keys are chains in the making. */
  locks: KeyedLock;
  snapshotter: string;
  /** The snapshotter may have layers that were never fetched: see `isRemote`. */
  remote: boolean;
  lease: string;
  signal: AbortSignal;
  /** Null where nobody watches. */
  progress: Pick<PullObserver, 'layerPhase'> | null;
  log: Logger;
}

/** The layers of one image, lowest first, and what they unpack to. */
export interface Layers extends SnapshotSource {
  /** Digest of the image's config. */
  config: string;
  layers: readonly Descriptor[];
  diffIds: readonly string[];
}

const CLEANUP_MS = 30_000;

/**
 * Makes a committed snapshot for each layer that has none, lowest first. `arrived(n)` resolves when layer n is in the content store; it is not
 * asked for a layer that a remote snapshotter has.
 */
export async function unpackImage(
  needs: UnpackNeeds,
  image: Layers,
  arrived: (place: number) => Promise<void>,
): Promise<void> {
  const { layers, diffIds } = image;
  if (layers.length !== diffIds.length) {
    const counts = `${layers.length} layers, but its config has ${diffIds.length}`;
    throw new Fault('failed_precondition', `the manifest has ${counts}`);
  }
  const chain = chainIds(diffIds);
  let parentIsNew = false;
  for (const [place, layer] of layers.entries()) {
    const step = {
      layer,
      parent: chain[place - 1] ?? '',
      name: chain[place] ?? '',
      diffId: diffIds[place] ?? '',
      labels: needs.remote ? snapshotLabels(image, place) : {},
      arrived: () => arrived(place),
    };
    parentIsNew = await unpackLayer(needs, step, parentIsNew);
    // What is there already says nothing of the layer's own bytes.
    if (!needs.remote) await step.arrived();
    needs.progress?.layerPhase(layer.digest, 'done');
  }
}

/** Ties the snapshots to the config, so that they live as long as it does. */
export async function tieSnapshots(
  { containerd, snapshotter, signal }: Pick<UnpackNeeds, 'containerd' | 'snapshotter' | 'signal'>,
  { config, diffIds }: Pick<Layers, 'config' | 'diffIds'>,
): Promise<void> {
  const label = tyingLabel(snapshotter, diffIds);
  const [name] = Object.keys(label);
  if (name === undefined) return;
  // Most images that are pulled again have it, and a look costs containerd less.
  const info = await containerd.content.info(config, { signal });
  if (info?.labels[name] === label[name]) return;
  await containerd.content.update(config, label, [`labels.${name}`], { signal });
}

/** The label of a config that ties its snapshots to it; none for an image without layers. */
export function tyingLabel(snapshotter: string, diffIds: readonly string[]): Record<string, string> {
  const top = chainIds(diffIds).at(-1);
  return top === undefined ? {} : { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: top };
}

interface LayerStep {
  layer: Descriptor;
  /** Chain ids; the parent's is empty for the lowest layer. */
  parent: string;
  name: string;
  diffId: string;
  labels: Record<string, string>;
  arrived: () => Promise<void>;
}

/** True if there was none. On a new parent there can hardly be one. */
async function unpackLayer(needs: UnpackNeeds, step: LayerStep, parentIsNew: boolean): Promise<boolean> {
  const { snapshotter, locks, signal } = needs;
  using _held = await locks.take(`chain/${snapshotter}/${step.name}`, signal);
  if (!parentIsNew && (await adoptSnapshot(needs, step.name))) return false;

  const key = `extract-${Date.now()}-${randomBytes(4).toString('hex')} ${step.name}`;
  try {
    const mounts = await prepare(needs, step, key);
    if (mounts === null) return false;
    await step.arrived();
    needs.progress?.layerPhase(step.layer.digest, 'unpack');
    await span('layer', 'unpack', async (own) => {
      own?.set('digest', step.layer.digest);
      await applyLayer(needs, step, mounts);
      await commit(needs, step, key);
    });
    return true;
  } catch (error) {
    await discard(needs, key);
    throw during(
      `unpack layer ${step.layer.digest}`,
      error,
      isCode(error, 'not_found') ? 'internal' : undefined,
    );
  }
}

/** Whether the snapshot is there; from then on the lease holds it. */
async function adoptSnapshot(needs: UnpackNeeds, name: string): Promise<boolean> {
  const { containerd, snapshotter, lease, signal } = needs;
  if (!(await hasSnapshot(needs, name))) return false;
  await containerd.leases.addResource(lease, { id: name, type: `snapshots/${snapshotter}` }, { signal });
  // Until then it could be collected.
  return await hasSnapshot(needs, name);
}

/** Whether a snapshot is there at this moment. */
export async function hasSnapshot(
  {
    containerd,
    snapshotter,
    signal,
  }: Pick<UnpackNeeds, 'snapshotter' | 'signal'> & {
    containerd: Pick<Containerd, 'snapshots'>;
  },
  name: string,
): Promise<boolean> {
  try {
    await containerd.snapshots.stat(snapshotter, name, { signal });
    return true;
  } catch (error) {
    if (isCode(error, 'not_found')) return false;
    throw error;
  }
}

/** Null if the snapshotter had the layer all along, as those that load layers lazily do. */
async function prepare(needs: UnpackNeeds, step: LayerStep, key: string): Promise<Mount[] | null> {
  const { containerd, snapshotter, lease, signal } = needs;
  const labels = { ...step.labels, 'containerd.io/snapshot.ref': step.name };
  try {
    return await containerd.snapshots.prepare(snapshotter, key, step.parent, labels, { lease, signal });
  } catch (error) {
    if (isCode(error, 'already_exists') && (await adoptSnapshot(needs, step.name))) return null;
    throw error;
  }
}

async function applyLayer(needs: UnpackNeeds, { layer, diffId }: LayerStep, mounts: Mount[]): Promise<void> {
  const { containerd, lease, signal } = needs;
  const descriptor = { ...layer, mediaType: unpackType(layer.mediaType) };
  const applied = await containerd.diff.apply({ descriptor, mounts, lease }, { signal });
  if (applied.digest !== diffId) {
    throw new Fault('data_loss', `it unpacks to ${applied.digest}, but the config says ${diffId}`);
  }
}

async function commit(needs: UnpackNeeds, { name, labels }: LayerStep, key: string): Promise<void> {
  const { containerd, snapshotter, lease, signal } = needs;
  try {
    await containerd.snapshots.commit(snapshotter, name, key, labels, { lease, signal });
  } catch (error) {
    if (!isCode(error, 'already_exists')) throw error;
    // Another tool was faster, with the same result.
    await discard(needs, key);
  }
}

/** Removes an unfinished snapshot. Never throws: there is an error already that says more. */
async function discard({ containerd, snapshotter, log }: UnpackNeeds, key: string): Promise<void> {
  try {
    await containerd.snapshots.remove(snapshotter, key, { timeoutMs: CLEANUP_MS });
  } catch (err) {
    log.warn({ err, key }, 'unfinished snapshot not removed; it goes with the lease');
  }
}
