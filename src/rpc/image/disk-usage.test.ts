import { pino } from 'pino';
import { expect, test } from 'vitest';
import { defaultConfig } from '../../config/schema.ts';
import type { Containerd } from '../../containerd/client.ts';
import type { SnapshotInfo } from '../../containerd/snapshots.ts';
import { Fault } from '../../lib/fault.ts';
import { createDiskUsage } from './disk-usage.ts';
import { imageFsInfo } from './image-fs-info.ts';

const log = pino({ level: 'silent' });
const { signal } = new AbortController();

/** A containerd with one overlayfs, whose snapshots have as many bytes as `sizes` says. */
function createWorld() {
  const clock = { ms: 1_000_000 };
  const sizes = new Map<string, number>();
  const infos = new Map<string, SnapshotInfo>();
  const asked: string[] = [];
  const add = (name: string, kind: SnapshotInfo['kind'], size: number, createdAt = 1n) => {
    sizes.set(name, size);
    infos.set(name, { name, parent: '', kind, createdAt, labels: {} });
  };
  const overlay = { type: 'io.containerd.snapshotter.v1', id: 'overlayfs', exports: {}, initError: null };
  const store = { type: 'io.containerd.content.v1', id: 'content', exports: { root: '/c/store' } };
  const containerd = {
    introspection: { plugins: async () => [overlay, store] },
    snapshots: {
      list: async () => [...infos.values()],
      usage: async (_: string, name: string) => {
        asked.push(name);
        const size = sizes.get(name);
        if (size === undefined) throw new Fault('not_found', name);
        return { size, inodes: 1 };
      },
    },
    content: { list: async () => [{ size: 1_000 }, { size: 1 }] },
  } as unknown as Containerd;
  const usage = createDiskUsage(containerd, { snapshotters: ['overlayfs', 'none'], log }, () => clock.ms);
  return { clock, sizes, infos, asked, add, usage };
}

test('committed snapshots are measured once, active ones each time', async () => {
  const { clock, sizes, infos, asked, add, usage } = createWorld();
  add('layer', 'committed', 10);
  add('container', 'active', 5);
  add('vanished', 'active', 0);
  sizes.delete('vanished');
  const overlay = (await usage.get(signal)).snapshotters.get('overlayfs');
  expect(overlay).toEqual({
    root: '/c/io.containerd.snapshotter.v1.overlayfs',
    committed: { size: 10, inodes: 1 },
    active: { size: 5, inodes: 1 },
    actives: new Map([['container', { size: 5, inodes: 1 }]]),
  });

  sizes.set('container', 7);
  add('second layer', 'committed', 100);
  infos.delete('vanished');
  asked.length = 0;
  clock.ms += 60_000;
  expect((await usage.get(signal)).snapshotters.get('overlayfs')).toMatchObject({
    committed: { size: 110 },
    active: { size: 7 },
  });
  expect(asked.toSorted()).toEqual(['container', 'second layer']);

  add('layer', 'committed', 20, 2n);
  clock.ms += 60_000;
  const again = await usage.get(signal);
  expect(again.snapshotters.get('overlayfs')?.committed.size).toBe(120);
});

test('a recent look is answered; an older one too, while a new one begins', async () => {
  const { clock, sizes, asked, add, usage } = createWorld();
  add('container', 'active', 5);
  const active = async () => (await usage.get(signal)).snapshotters.get('overlayfs')?.active.size;
  expect(await Promise.all([active(), active()])).toEqual([5, 5]);
  expect(asked).toHaveLength(1);

  sizes.set('container', 6);
  clock.ms += 9_999;
  expect(await active()).toBe(5);
  clock.ms += 1;
  expect(await active()).toBe(5);
  await expect.poll(active).toBe(6);
  expect(asked).toHaveLength(2);
});

test('images and containers have their own share of the file system', async () => {
  const { add, usage } = createWorld();
  add('layer', 'committed', 10);
  add('container', 'active', 5);
  const call = { rpc: 'ImageFsInfo', signal, log };
  const answer = await imageFsInfo({ diskUsage: usage, config: defaultConfig() }, {}, call);
  const fsId = { mountpoint: '/c/io.containerd.snapshotter.v1.overlayfs' };
  const timestamp = '1000000000000';
  expect(answer).toEqual({
    imageFilesystems: [{ timestamp, fsId, usedBytes: { value: 1_016 }, inodesUsed: { value: 2 } }],
    containerFilesystems: [{ timestamp, fsId, usedBytes: { value: 5 }, inodesUsed: { value: 1 } }],
  });
});

test('without the default snapshotter there is no answer', async () => {
  const { usage } = createWorld();
  const config = defaultConfig();
  config.containerd.snapshotter = 'none';
  const call = { rpc: 'ImageFsInfo', signal, log };
  await expect(imageFsInfo({ diskUsage: usage, config }, {}, call)).rejects.toThrow('snapshotter "none"');
});
