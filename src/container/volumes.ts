import type { Containerd } from '../containerd/client.ts';
import type { Mount } from '../containerd/mount.ts';
import type { ContainerConfig__Output as ContainerConfig } from '../gen/runtime/v1/ContainerConfig.ts';
import type { Mount__Output as CriMount } from '../gen/runtime/v1/Mount.ts';
import { copyTree } from '../host/copy-tree.ts';
import { ensureDir, exists, removeTree } from '../host/files.ts';
import { unmountTree } from '../host/mounts.ts';
import { directoryInRoot } from '../host/path-in-root.ts';
import { mountReadOnly } from '../host/snapshot-mounts.ts';
import type { Image } from '../image/image.ts';
import { during, Fault, innerFault } from '../lib/fault.ts';
import { isSameIds } from '../lib/id-mappings.ts';
import type { ImageService } from '../registry/service.ts';
import type { PodUserNamespace } from '../spec/id-mappings.ts';
import { mountIds } from '../spec/id-mappings.ts';
import type { ContainerVolumes } from '../spec/input.ts';
import { isImageVolume } from '../spec/mount-rules.ts';
import { declaredVolumes } from '../spec/mounts.ts';
import type { Paths } from '../store/paths.ts';
import { idMapPath, idMapRootfs, idMapSnapshot } from './id-maps.ts';

/** What the volumes of a container need. */
export interface VolumeNeeds {
  readonly containerd: { readonly snapshots: Pick<Containerd['snapshots'], 'view' | 'remove'> };
  readonly images: Pick<ImageService, 'store' | 'ensureUnpacked'>;
  readonly paths: Pick<Paths, 'containerMounts' | 'containerVolumes'>;
  /** Id of the lease that holds the snapshots of containers in the making. */
  readonly lease: string;
}

/** Programs with the set-user-ID bit, which images have, are not for the users of the machine. */
const PRIVATE = 0o700;

/** The container whose volumes are made. */
export interface VolumeOrder {
  readonly id: string;
  readonly config: ContainerConfig;
  readonly image: Image;
  readonly snapshotter: string;
  /** Of its root file system, which nobody has mounted yet. Asked only where it is needed. */
  readonly rootfs: () => Promise<Mount[]>;
  /** Its pod's own, null where it has none. */
  readonly userns: PodUserNamespace | null;
  /** Each host path of the config's mounts to its real path. */
  readonly sources: Readonly<Record<string, string>>;
}

/** What was made, and of which images. */
export interface MadeVolumes extends ContainerVolumes {
  /** By place in the config's mounts: the reference with a digest, or the id, of an image volume's image. */
  readonly imageRefs: Readonly<Record<number, string>>;
}

/**
 * Mounts the image volumes of a container, and fills the volumes that its own image declares. Each container has
 * views of its own, so that nothing is shared that one could take from another. `releaseVolumes` undoes it.
 */
export async function makeVolumes(
  needs: VolumeNeeds,
  order: VolumeOrder,
  signal: AbortSignal,
): Promise<MadeVolumes> {
  const prepared: Record<number, string> = {};
  const imageRefs: Record<number, string> = {};
  if (order.userns) {
    await idMapRootfs(needs.paths.containerMounts(order.id), await order.rootfs(), order.userns);
  }
  for (const [place, wanted] of order.config.mounts.entries()) {
    if (!isImageVolume(wanted)) {
      const mapped = await idMapMount(needs, order, { place, wanted });
      if (mapped !== null) prepared[place] = mapped;
      continue;
    }
    try {
      const image = findImage(needs, wanted.image?.image ?? '');
      imageRefs[place] = image.repoDigests[0] ?? image.id;
      prepared[place] = await mountImage(needs, { ...order, image, place, wanted }, signal);
    } catch (error) {
      throw during(`ImageVolumeMountFailed: mount at "${wanted.containerPath}"`, innerFault(error));
    }
  }
  const paths = declaredVolumes(order.image.config.volumes, order.config.mounts);
  return {
    prepared,
    imageRefs,
    declared: paths.length === 0 ? [] : await fillVolumes(needs, order, paths, signal),
  };
}

/** Unmounts and removes what `makeVolumes` made, whatever is there of it. Already gone is done. */
export async function releaseVolumes(needs: Pick<VolumeNeeds, 'paths'>, id: string): Promise<void> {
  const dir = needs.paths.containerMounts(id);
  const volumes = needs.paths.containerVolumes(id);
  // Most containers have neither, and a look for mounts reads the list of all that the machine has.
  if (await exists(dir)) {
    await unmountTree(dir);
    await removeTree(dir);
  }
  if (await exists(volumes)) await removeTree(volumes);
}

/** Removes the views that its image volumes stood on. They must not be mounted any more. */
export async function removeViews(
  needs: Pick<VolumeNeeds, 'containerd' | 'lease'>,
  { id, snapshotter, config }: { id: string; snapshotter: string; config: Pick<ContainerConfig, 'mounts'> },
  signal: AbortSignal,
): Promise<void> {
  const { containerd, lease } = needs;
  for (const key of viewKeys(id, config.mounts)) {
    await containerd.snapshots.remove(snapshotter, key, { signal, lease });
  }
}

/** Labels by which containerd keeps the views for as long as it has the container's record. */
export function viewLabels(
  id: string,
  snapshotter: string,
  mounts: readonly CriMount[],
): Record<string, string> {
  const label = (index: number) => `containerd.io/gc.ref.snapshot.${snapshotter}/volume-${index}`;
  return Object.fromEntries(viewKeys(id, mounts).map((key, index) => [label(index), key]));
}

function viewKeys(id: string, mounts: readonly CriMount[]): string[] {
  return mounts.flatMap((mount, place) => (isImageVolume(mount) ? [viewKey(id, place)] : []));
}

function viewKey(id: string, place: number): string {
  return `${id}-volume-${place}`;
}

/** Answers the host path with the ids that the mount asks for, null when it asks for none. */
async function idMapMount(
  needs: VolumeNeeds,
  { id, sources, userns }: VolumeOrder,
  { place, wanted }: { place: number; wanted: CriMount },
): Promise<string | null> {
  const ids = mountIds(wanted);
  if (ids === null) return null;
  const source = sources[wanted.hostPath] ?? wanted.hostPath;
  try {
    return await idMapPath(source, `${needs.paths.containerMounts(id)}/${place}`, { ids, userns });
  } catch (error) {
    throw during(`mount at "${wanted.containerPath}"`, error);
  }
}

function findImage({ images }: Pick<VolumeNeeds, 'images'>, name: string): Image {
  const image = images.store.find(name);
  if (image === null)
    throw new Fault('failed_precondition', `image "${name}" is not on this node; pull it first`);
  return image;
}

/** Answers the directory on the host that the container's mount is bound from. */
async function mountImage(
  needs: VolumeNeeds,
  order: VolumeOrder & { place: number; wanted: CriMount },
  signal: AbortSignal,
): Promise<string> {
  const { containerd, images, lease } = needs;
  const { id, image, place, snapshotter, wanted, userns } = order;
  const ids = mountIds(wanted);
  if (ids && !isSameIds(ids, userns?.ids ?? null)) {
    throw new Fault('invalid_argument', "its id mappings are not those of its pod's user namespace");
  }
  await images.ensureUnpacked(image, snapshotter, signal);
  const key = viewKey(id, place);
  const view = await containerd.snapshots.view(snapshotter, key, image.chainId, {}, { signal, lease });
  const target = `${needs.paths.containerMounts(id)}/${place}`;
  await ensureDir(target, PRIVATE);
  mountReadOnly(userns ? await idMapSnapshot(`${target}.ids`, view, userns) : view, target);
  const source = directoryInRoot(target, wanted.imageSubPath);
  if (source !== null) return source;
  throw new Fault('failed_precondition', `its image has no directory ${wanted.imageSubPath}`);
}

/** Makes a directory for each path, with what the image has there. */
async function fillVolumes(
  needs: VolumeNeeds,
  { id, rootfs, userns }: VolumeOrder,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ContainerVolumes['declared']> {
  const mounts = needs.paths.containerMounts(id);
  const root = `${mounts}/filled`;
  await ensureDir(root, PRIVATE);
  await ensureDir(needs.paths.containerVolumes(id), PRIVATE);
  mountReadOnly(await rootfs(), root);
  try {
    const volumes: { path: string; source: string }[] = [];
    for (const [place, path] of paths.entries()) {
      const directory = `${needs.paths.containerVolumes(id)}/${place}`;
      await fillVolume(root, { path, source: directory }, signal).catch((error: unknown) => {
        throw during(`volume "${path}" of the image`, error);
      });
      const mapped =
        userns && (await idMapPath(directory, `${mounts}/volume-${place}`, { ids: userns.ids, userns }));
      volumes.push({ path, source: mapped ?? directory });
    }
    return volumes;
  } finally {
    await unmountTree(root);
  }
}
async function fillVolume(
  root: string,
  { path, source }: { path: string; source: string },
  signal: AbortSignal,
): Promise<void> {
  const content = directoryInRoot(root, path);
  await ensureDir(source);
  if (content !== null) await copyTree(content, source, signal);
}
