import type { Mount } from '../../containerd/mount.ts';
import { readRootfsFile } from '../../host/rootfs-file.ts';

/** What an image says of users and groups; null where it has no such file. */
export interface UserFiles {
  readonly passwd: string | null;
  readonly group: string | null;
}

/** A committed snapshot. What it holds never changes. */
export interface Layers {
  readonly snapshotter: string;
  readonly chainId: string;
}

/** How many images' files are kept, and how long both of an image may be together, in characters. */
const MAX_KEPT = 100;
const MAX_LENGTH = 64 * 1024;

/**
 * The user files of images, read once for all containers of an image: whoever has them need not wait for the
 * container's own snapshot.
 */
export class ImageUserFiles {
  readonly #kept = new Map<string, UserFiles>();

  /** @param rootfs the mounts of a snapshot that stands on the image and has nothing of its own yet; asked when needed. */
  async of({ snapshotter, chainId }: Layers, rootfs: () => Promise<Mount[]>): Promise<UserFiles> {
    const key = `${snapshotter}/${chainId}`;
    const known = this.#kept.get(key);
    const files = known ?? (await read(await rootfs()));
    // The last one used is the last one to go.
    this.#kept.delete(key);
    if ((files.passwd?.length ?? 0) + (files.group?.length ?? 0) <= MAX_LENGTH) this.#kept.set(key, files);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return files;
  }
}

async function read(rootfs: Mount[]): Promise<UserFiles> {
  const [passwd, group] = await Promise.all([
    readRootfsFile(rootfs, '/etc/passwd'),
    readRootfsFile(rootfs, '/etc/group'),
  ]);
  return { passwd, group };
}
