import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Containerd } from '../containerd/client.ts';
import type { ImageRecord } from '../containerd/images.ts';
import { Fault } from '../lib/fault.ts';
import { createImageStore } from './images.ts';

const log = pino({ level: 'silent' });

function sha256(data: Buffer): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** A containerd that knows images and content, and nothing else. */
function createWorld() {
  const records = new Map<string, ImageRecord>();
  const blobs = new Map<string, Buffer>();
  const updates: string[] = [];
  const store = (value: unknown): string => {
    const data = Buffer.from(JSON.stringify(value));
    blobs.set(sha256(data), data);
    return sha256(data);
  };
  const add = (name: string, cmd: string, labels: Record<string, string> = {}) => {
    const config = store({ config: { Cmd: [cmd] }, rootfs: { diff_ids: [] } });
    const mediaType = 'application/vnd.oci.image.config.v1+json';
    const digest = store({ config: { mediaType, digest: config, size: 10 }, layers: [] });
    const target = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest,
      size: 1,
      annotations: {},
    };
    records.set(name, { name, labels, target, createdAt: 0n, updatedAt: 0n });
    return { id: config, digest };
  };
  const containerd = {
    images: {
      get: (name: string) => Promise.resolve(records.get(name) ?? null),
      list: () => Promise.resolve([...records.values()]),
      update: ({ name, labels }: ImageRecord) => {
        const record = records.get(name);
        if (record === undefined) return Promise.reject(new Fault('not_found', name));
        records.set(name, { ...record, labels: { ...record.labels, ...labels } });
        updates.push(name);
        return Promise.resolve();
      },
    },
    content: {
      readAll: (digest: string) => {
        const data = blobs.get(digest);
        return data === undefined ? Promise.reject(new Fault('not_found', digest)) : Promise.resolve(data);
      },
    },
  } as unknown as Pick<Containerd, 'images' | 'content'>;
  const createImages = (pinned: string[]) => createImageStore(containerd, log, pinned);
  return { records, blobs, updates, add, createImages, images: createImages([]) };
}

test('all names of one config are one image, sorted into tags and digests', async () => {
  const { add, images } = createWorld();
  const { id, digest } = add('example.test/a:2', 'x');
  add('example.test/a:1', 'x', { 'io.cri-containerd.pinned': 'pinned' });
  add(`example.test/a@${digest}`, 'x');
  add(id, 'x');
  await images.load();
  expect(images.list()).toMatchObject([
    {
      id,
      repoTags: ['example.test/a:1', 'example.test/a:2'],
      repoDigests: [`example.test/a@${digest}`],
      pinned: true,
      chainId: '',
    },
  ]);
});

test('refresh follows a name that moves and one that goes', async () => {
  const { records, add, images } = createWorld();
  const old = add('docker.io/library/a:latest', 'old');
  await images.refresh('docker.io/library/a:latest');
  expect(images.find('a')?.id).toBe(old.id);

  const fresh = add('docker.io/library/a:latest', 'new');
  await images.refresh('docker.io/library/a:latest');
  expect(images.find('a')?.id).toBe(fresh.id);
  expect(images.find(old.id)).toBeNull();

  records.clear();
  await images.refresh('docker.io/library/a:latest');
  expect(images.list()).toEqual([]);
});

test('an image that becomes unreadable leaves, the others stay', async () => {
  const { blobs, add, images } = createWorld();
  add('docker.io/library/good:1', 'good');
  const { id } = add('docker.io/library/bad:1', 'bad');
  blobs.delete(id);
  await images.load();
  expect(images.list().flatMap(({ repoTags }) => repoTags)).toEqual(['docker.io/library/good:1']);
});

test('a name wins over the prefix of an id, and an ambiguous prefix finds nothing', async () => {
  const { add, images } = createWorld();
  const ids = Array.from(
    { length: 20 },
    (_, number) => add(`docker.io/library/n${number}:latest`, `c${number}`).id,
  );
  const prefix = ids[0]?.slice(7, 13) ?? '';
  const named = add(`docker.io/library/${prefix}:latest`, 'named like an id');
  await images.load();
  expect(images.find(prefix)?.id).toBe(named.id);
  expect(images.find(ids[0]?.slice(7, 20) ?? '')?.id).toBe(ids[0]);
  // Of 21 ids at least two begin with the same of 16 digits.
  const digits = Map.groupBy([...ids, named.id], (id) => id[7] ?? '');
  const shared = [...digits].find(([, members]) => members.length > 1)?.[0] ?? '';
  expect(images.find(`sha256:${shared}`)).toBeNull();
});

test('all names of an image are labelled as pinned when one of them is to be', async () => {
  const { records, add, updates, createImages } = createWorld();
  const { id } = add('docker.io/library/a:1', 'a');
  add('example.test/also:1', 'a');
  add('docker.io/library/b:1', 'b');
  const images = createImages(['a:*']);
  await images.load();
  expect(images.find('a:1')?.pinned).toBe(true);
  expect(images.find('b:1')?.pinned).toBe(false);
  expect(updates.toSorted()).toEqual(['docker.io/library/a:1', 'example.test/also:1']);
  expect(records.get('docker.io/library/b:1')?.labels).toEqual({});

  add('docker.io/library/a:2', 'b');
  await images.refresh('docker.io/library/a:2');
  expect(updates.slice(2).toSorted()).toEqual(['docker.io/library/a:2', 'docker.io/library/b:1']);
  expect(images.find('b:1')?.pinned).toBe(true);
  await images.load();
  expect(updates).toHaveLength(4);
  expect(images.find(id)?.pinned).toBe(true);

  add('example.test/theirs:1', 'c', { 'io.cri-containerd.pinned': 'pinned' });
  const later = createImages(['b:1']);
  await later.load();
  expect(updates.slice(4).toSorted()).toEqual(['docker.io/library/a:1', 'example.test/also:1']);
  const pinned = later.list().map(({ repoTags, pinned: isPinned }) => [repoTags[0], isPinned]);
  expect(Object.fromEntries(pinned)).toEqual({
    'docker.io/library/a:1': false,
    'docker.io/library/a:2': true,
    'example.test/theirs:1': true,
  });
});
