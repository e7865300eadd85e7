import type { Mount } from '../containerd/mount.ts';
import type { ContainerConfig__Output as ContainerConfig } from '../gen/runtime/v1/ContainerConfig.ts';
import { ensureAlike } from '../host/files.ts';
import { giveUpper, idMappedBind, idMappedPart, onIdMapped } from '../host/id-mapped-mounts.ts';
import { withUserNamespace } from '../host/user-namespace.ts';
import type { IdMappings } from '../lib/id-mappings.ts';
import { isSameIds } from '../lib/id-mappings.ts';
import type { PodUserNamespace } from '../spec/id-mappings.ts';
import { podIds } from '../spec/id-mappings.ts';

// Containers of pods with a user namespace see files with the ids of that namespace. The mounts that do it are made
// here and not by containerd and runc: they can be had of every version then (decision 0010). All of them are below
// one directory for each container, and go with its volumes.

/** Where the layers of a container's root file system are, with other ids. */
function layersAt(mountsDir: string): string {
  return `${mountsDir}/layers`;
}

/** Makes a container's root file system ready for its user namespace, once, before `rootfsOf` is asked. */
export async function idMapRootfs(
  mountsDir: string,
  rootfs: readonly Mount[],
  userns: PodUserNamespace,
): Promise<void> {
  await idMapSnapshot(layersAt(mountsDir), rootfs, userns);
  giveUpper(rootfs, userns.ids);
}

/** The mounts of a container's root file system, as its task is to have them. */
export function rootfsOf(mountsDir: string, snapshot: Mount[], config: ContainerConfig): Mount[] {
  const ids = podIds(config.linux?.securityContext?.namespaceOptions?.usernsOptions);
  return ids === null ? snapshot : onIdMapped(snapshot, layersAt(mountsDir));
}

/** Mounts the read-only part of a snapshot at `at`. Answers the snapshot as it stands on that. */
export async function idMapSnapshot(
  at: string,
  snapshot: readonly Mount[],
  userns: PodUserNamespace,
): Promise<Mount[]> {
  const part = idMappedPart(snapshot);
  await idMapPath(part, at, { ids: userns.ids, userns });
  return onIdMapped(snapshot, at);
}

/** Mounts a file or directory at `target`, with the given ids. Answers `target`. */
export async function idMapPath(
  source: string,
  target: string,
  { ids, userns }: { ids: IdMappings; userns: PodUserNamespace | null },
): Promise<string> {
  await ensureAlike(target, source);
  if (userns && isSameIds(ids, userns.ids)) idMappedBind(source, target, userns.path);
  else {
    await withUserNamespace(ids, [], async (pid) => idMappedBind(source, target, `/proc/${pid}/ns/user`));
  }
  return target;
}
