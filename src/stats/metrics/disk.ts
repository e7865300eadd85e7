import type { IoCount } from '../../host/cgroup/usage.ts';
import type { DiskCounts, MetricKind, Sample } from './kind.ts';
import { one } from './kind.ts';

/** The writable layer, and traffic with block devices. */
export const diskMetrics: readonly MetricKind[] = [
  filesystem(
    'container_fs_inodes_free',
    'Inodes that are free on the file system.',
    (d) => d.filesystem?.inodesFree,
  ),
  filesystem('container_fs_inodes_total', 'Inodes that the file system has.', (d) => d.filesystem?.inodes),
  filesystem('container_fs_limit_bytes', 'Size of the file system, in bytes.', (d) => d.filesystem?.bytes),
  {
    name: 'container_fs_usage_bytes',
    type: 'GAUGE',
    help: 'What the container has written, in bytes.',
    labels: ['device'],
    samples: ({ disk }) => (disk ? [usage(disk)] : []),
  },
  device('container_fs_reads_bytes_total', 'Bytes read from the device.', 'Read', (io) => io.bytes),
  device('container_fs_reads_total', 'Reads from the device.', 'Read', (io) => io.operations),
  device('container_fs_writes_bytes_total', 'Bytes written to the device.', 'Write', (io) => io.bytes),
  device('container_fs_writes_total', 'Writes to the device.', 'Write', (io) => io.operations),
  {
    name: 'container_blkio_device_usage_total',
    type: 'COUNTER',
    help: 'Bytes moved from and to the device.',
    labels: ['device', 'major', 'minor', 'operation'],
    samples: ({ cgroup, deviceName }) =>
      (cgroup?.detail.io ?? []).flatMap(({ major, minor, operation, bytes }) =>
        one(bytes, deviceName(major, minor), `${major}`, `${minor}`, operation),
      ),
  },
];

function usage({ usedBytes, measuredAt, filesystem: on }: DiskCounts): Sample {
  return { value: usedBytes, labels: [on?.device ?? ''], cachedAt: measuredAt };
}

function filesystem(name: string, help: string, value: (disk: DiskCounts) => number | undefined): MetricKind {
  return {
    name,
    help,
    type: 'GAUGE',
    labels: ['device'],
    samples: ({ disk }) => (disk ? one(value(disk), disk.filesystem?.device ?? '') : []),
  };
}

function device(
  name: string,
  help: string,
  operation: IoCount['operation'],
  value: (io: IoCount) => number,
): MetricKind {
  return {
    name,
    help,
    type: 'COUNTER',
    labels: ['device'],
    samples: ({ cgroup, deviceName }) =>
      (cgroup?.detail.io ?? [])
        .filter((io) => io.operation === operation)
        .flatMap((io) => one(value(io), deviceName(io.major, io.minor))),
  };
}
