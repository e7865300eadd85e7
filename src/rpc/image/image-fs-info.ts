import type { Containerd } from '../../containerd/client.ts';
import type { FilesystemUsage } from '../../gen/runtime/v1/FilesystemUsage.ts';
import type { ImageFsInfoRequest__Output } from '../../gen/runtime/v1/ImageFsInfoRequest.ts';
import type { ImageFsInfoResponse } from '../../gen/runtime/v1/ImageFsInfoResponse.ts';
import type { Call } from '../../lib/call.ts';
import { Fault, isCode } from '../../lib/fault.ts';
import type { Services } from '../services.ts';
import { allSnapshotters } from './snapshotter.ts';

type Needs = Pick<Services, 'containerd' | 'config'>;

const SNAPSHOTTER = 'io.containerd.snapshotter.v1';

interface Usage {
  size: number;
  inodes: number;
}

/** Questions to containerd at a time: measuring an active snapshot walks its files. */
const READERS = 4;

/** What containerd's snapshots and content take up, and on which file system. */
export async function imageFsInfo(
  { containerd, config }: Needs,
  _request: ImageFsInfoRequest__Output,
  { signal }: Call,
): Promise<ImageFsInfoResponse> {
  const roots = await snapshotterRoots(containerd, signal);
  const content = await containerd.content.list([], { signal });
  const contentBytes = content.reduce((sum, { size }) => sum + size, 0);

  const filesystems: FilesystemUsage[] = [];
  for (const [place, snapshotter] of allSnapshotters(config).entries()) {
    const mountpoint = roots.get(snapshotter);
    if (mountpoint === undefined) {
      throw new Fault('failed_precondition', `containerd has no running snapshotter "${snapshotter}"`);
    }
    const { size, inodes } = await snapshotsUsage(containerd, snapshotter, signal);
    filesystems.push({
      timestamp: String(BigInt(Date.now()) * 1_000_000n),
      fsId: { mountpoint },
      // The content store belongs to all snapshotters, and is counted once.
      usedBytes: { value: size + (place === 0 ? contentBytes : 0) },
      inodesUsed: { value: inodes },
    });
  }
  return { imageFilesystems: filesystems, containerFilesystems: filesystems };
}

/** Where each running snapshotter keeps its files. Old versions tell it only for some: there it is a default. */
async function snapshotterRoots(containerd: Containerd, signal: AbortSignal): Promise<Map<string, string>> {
  const plugins = await containerd.introspection.plugins([], { signal });
  const contentRoot = plugins.find(({ type }) => type === 'io.containerd.content.v1')?.exports['root'] ?? '';
  const containerdRoot = contentRoot.slice(0, Math.max(0, contentRoot.lastIndexOf('/')));
  return new Map(
    plugins
      .filter(({ type, initError }) => type === SNAPSHOTTER && initError === null)
      .map(({ id, exports }) => [id, exports['root'] ?? `${containerdRoot}/${SNAPSHOTTER}.${id}`]),
  );
}

async function snapshotsUsage(
  { snapshots }: Containerd,
  snapshotter: string,
  signal: AbortSignal,
): Promise<Usage> {
  const names = (await snapshots.list(snapshotter, [], { signal })).map(({ name }) => name);
  const total: Usage = { size: 0, inodes: 0 };
  const reader = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const usage = await usageOf(() => snapshots.usage(snapshotter, name ?? '', { signal }));
      total.size += usage.size;
      total.inodes += usage.inodes;
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return total;
}

/** A snapshot may go between the listing and the look. */
async function usageOf(measure: () => Promise<Usage>): Promise<Usage> {
  try {
    return await measure();
  } catch (error) {
    if (isCode(error, 'not_found')) return { size: 0, inodes: 0 };
    throw error;
  }
}
