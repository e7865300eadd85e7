import type { FilesystemUsage } from '../../gen/runtime/v1/FilesystemUsage.ts';
import type { ImageFsInfoRequest__Output } from '../../gen/runtime/v1/ImageFsInfoRequest.ts';
import type { ImageFsInfoResponse } from '../../gen/runtime/v1/ImageFsInfoResponse.ts';
import type { Call } from '../../lib/call.ts';
import { Fault } from '../../lib/fault.ts';
import type { Services } from '../services.ts';
import type { Usage } from './disk-usage.ts';

type Needs = Pick<Services, 'diskUsage' | 'config'>;

/**
 * What containerd's snapshots and content take up, and on which file system. Images and containers share
 * one, of which containers take up the snapshots that they write to.
 */
export async function imageFsInfo(
  { diskUsage, config }: Needs,
  _request: ImageFsInfoRequest__Output,
  { signal }: Call,
): Promise<ImageFsInfoResponse> {
  const { at, snapshotters, contentBytes } = await diskUsage.get(signal);
  const timestamp = String(BigInt(at) * 1_000_000n);
  const imageFilesystems: FilesystemUsage[] = [];
  const containerFilesystems: FilesystemUsage[] = [];
  const { snapshotter: main } = config.containerd;
  if (!snapshotters.has(main)) {
    throw new Fault('failed_precondition', `containerd has no running snapshotter "${main}"`);
  }
  for (const [snapshotter, { root, committed, active }] of snapshotters) {
    const entry = ({ size, inodes }: Usage): FilesystemUsage => ({
      timestamp,
      fsId: { mountpoint: root },
      usedBytes: { value: size },
      inodesUsed: { value: inodes },
    });
    // The content store belongs to all snapshotters, and is counted once.
    const content = snapshotter === main ? contentBytes : 0;
    const size = committed.size + active.size + content;
    imageFilesystems.push(entry({ size, inodes: committed.inodes + active.inodes }));
    containerFilesystems.push(entry(active));
  }
  return { imageFilesystems, containerFilesystems };
}
