import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { container } from '../fixtures.ts';
import type { DiskUsage, Measured } from '../image/disk-usage.ts';
import { writableLayers } from './writable-layers.ts';

const call = { signal: new AbortController().signal, log: pino({ level: 'silent' }) };
const nothing = { size: 0, inodes: 0 };
const measured: Measured = {
  at: 5,
  contentBytes: 0,
  snapshotters: new Map([
    [
      'overlayfs',
      {
        root: '/snapshots',
        committed: nothing,
        active: nothing,
        actives: new Map([['c1', { size: 7, inodes: 2 }]]),
      },
    ],
  ]),
};

afterEach(() => {
  vi.useRealTimers();
});

function layersFrom(get: DiskUsage['get']) {
  return writableLayers({ diskUsage: { get } }, call);
}

test('a container has its own snapshot, of its own snapshotter', async () => {
  const layerOf = await layersFrom(async () => measured);
  expect(layerOf(container())).toEqual({ at: 5_000_000n, mountpoint: '/snapshots', bytes: 7, inodes: 2 });
  expect(layerOf(container({ id: 'c2' }))).toBeNull();
  expect(layerOf(container({ snapshotter: 'native' }))).toBeNull();
});

test('containerd that is away, or measures for long, costs the layers alone', async () => {
  const away = await layersFrom(async () => {
    throw new Error('containerd is away');
  });
  expect(away(container())).toBeNull();

  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const slow = layersFrom(() => new Promise(() => {}));
  await vi.advanceTimersByTimeAsync(2_000);
  expect((await slow)(container())).toBeNull();
});
