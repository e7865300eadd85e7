import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Containerd } from '../containerd/client.ts';
import type { ImageRecord, NewImage } from '../containerd/images.ts';
import { Fault } from '../lib/fault.ts';
import { createImageStore } from './images.ts';

const log = pino({ level: 'silent' });

const emptyConfig = {
  env: [],
  entrypoint: [],
  cmd: [],
  workingDir: '',
  user: '',
  stopSignal: '',
  volumes: [],
  labels: {},
};

function sha256(data: Buffer): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** A containerd that knows images and content, and nothing else. */
function createWorld() {
  const records = new Map<string, ImageRecord>();
  const blobs = new Map<string, Buffer>();
  const updates: string[] = [];
  const looks: string[] = [];
  let clock = 0n;
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
      get: (name: string) => {
        looks.push(name);
        return Promise.resolve(records.get(name) ?? null);
      },
      create: (image: NewImage) => {
        if (records.has(image.name)) return Promise.reject(new Fault('already_exists', image.name));
        const record = { ...image, createdAt: ++clock, updatedAt: clock };
        records.set(image.name, record);
        return Promise.resolve(record);
      },
      list: () => Promise.resolve([...records.values()]),
      update: ({ name, labels, target }: NewImage) => {
        const record = records.get(name);
        if (record === undefined) return Promise.reject(new Fault('not_found', name));
        const moved = { ...record, target, labels: { ...record.labels, ...labels }, updatedAt: ++clock };
        records.set(name, moved);
        updates.push(name);
        return Promise.resolve(moved);
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
  return { containerd, records, blobs, updates, looks, add, createImages, images: createImages([]) };
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

test('what is recorded here is known without a look, and its events bring none', async () => {
  const { records, looks, add, createImages } = createWorld();
  add('example.test/other:1', 'other', { theirs: 'kept' });
  const facts = { id: 'sha256:1', chainId: 'c', size: 7, config: emptyConfig };
  const target = { mediaType: 'm', digest: 'sha256:2', size: 1, annotations: {} };
  const names = ['example.test/a:1', 'example.test/other:1'];
  const images = createImages(['a:*']);
  await images.record({ names, target, facts }, AbortSignal.timeout(5_000));
  expect(images.find('example.test/a:1')).toMatchObject({ ...facts, target, names, pinned: false });
  expect(records.get('example.test/other:1')).toMatchObject({
    target,
    labels: { theirs: 'kept', 'io.cri-containerd.image': 'managed' },
  });
  for (const name of names) await images.changed(name);
  expect(looks).toEqual([]);

  // What went behind our back is made anew.
  records.delete('example.test/a:1');
  await images.record({ names, target, facts }, AbortSignal.timeout(5_000));
  expect(records.get('example.test/a:1')).toMatchObject({ target });
  for (const name of names) await images.changed(name);
  expect(looks).toEqual([]);

  records.delete('example.test/a:1');
  await images.changed('example.test/a:1');
  expect(looks).toEqual(['example.test/a:1']);
  expect(images.find('example.test/a:1')).toBeNull();
  expect(images.find('example.test/other:1')).not.toBeNull();
});

test('an answer that others have overtaken is looked at again', async () => {
  const { records, add, images, containerd } = createWorld();
  const name = 'example.test/a:1';
  const create = containerd.images.create.bind(containerd.images);
  containerd.images.create = async (image) => {
    const record = await create(image);
    await images.changed(name); // ours
    records.delete(name);
    await images.changed(name);
    return record;
  };
  const facts = { id: 'sha256:1', chainId: 'c', size: 7, config: emptyConfig };
  const target = { mediaType: 'm', digest: 'sha256:2', size: 1, annotations: {} };
  await images.record({ names: [name], target, facts }, AbortSignal.timeout(5_000));
  expect(images.find(name)).toBeNull();

  // The last to be answered is not the last that wrote.
  containerd.images.create = async (image) => {
    const record = await create(image);
    const newer = add(name, 'newer');
    records.set(name, { ...records.get(name)!, updatedAt: 100n });
    await images.refresh(name);
    expect(images.find(name)?.id).toBe(newer.id);
    return record;
  };
  await images.record({ names: [name], target, facts }, AbortSignal.timeout(5_000));
  expect(images.find(name)?.id).not.toBe(facts.id);
});

test('a write that fails after its event leaves what containerd has', async () => {
  const { images, containerd, looks } = createWorld();
  const name = 'example.test/a:1';
  containerd.images.create = async () => {
    await images.changed(name);
    throw new Fault('unavailable', 'cut off');
  };
  const facts = { id: 'sha256:1', chainId: 'c', size: 7, config: emptyConfig };
  const target = { mediaType: 'm', digest: 'sha256:2', size: 1, annotations: {} };
  const recorded = images.record({ names: [name], target, facts }, AbortSignal.timeout(5_000));
  await expect(recorded).rejects.toMatchObject({ code: 'unavailable' });
  expect(looks).toEqual([name]);
  await images.changed(name);
  expect(looks).toEqual([name, name]);
});
