import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ContainerRecord } from '../containerd/containers.ts';
import { RecordStore } from './record-store.ts';

interface Thing {
  id: string;
  name: string;
  createdAt: bigint;
}

interface Status {
  state: string;
  at: bigint;
}

const thing = { id: 'a1', name: 'one', createdAt: 12n };
const object = {
  labels: {},
  image: '',
  runtime: { name: 'r', options: null },
  spec: null,
  snapshotter: '',
  snapshotKey: '',
};

let root: string;
let objects: Map<string, ContainerRecord>;
let store: RecordStore<Thing, Status>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cristal-records-'));
  objects = new Map();
  store = new RecordStore<Thing, Status>(
    {
      kind: 'thing',
      extension: 'io.cristal.thing',
      recordKeys: ['id', 'name', 'createdAt'],
      statusKeys: ['state', 'at'],
      root,
    },
    {
      create: async (record) => void objects.set(record.id, record),
      delete: async (id) => objects.delete(id),
    },
  );
});

afterEach(() => rmSync(root, { recursive: true }));

test('a record comes back from its containerd object, without the status', async () => {
  await store.saveRecord({ ...thing, state: 'x' } as Thing, object);
  const saved = objects.get('a1');
  expect(saved).toMatchObject({ id: 'a1', runtime: { name: 'r' } });
  const { version: _version, ...record } = { version: 0, ...store.readRecord(saved ?? { extensions: {} }) };
  expect(record).toEqual(thing);
});

test('an object without our extension is none of ours, a broken one is data_loss', () => {
  expect(store.readRecord({ extensions: {} })).toBeNull();
  const broken = { 'io.cristal.thing': { typeUrl: 't', value: Buffer.from('{"version":1,"id":"a1"}') } };
  expect(() => store.readRecord({ extensions: broken })).toThrow(/lacks name, createdAt/);
});

test('a change of status is in memory and on disk', async () => {
  store.put({ ...thing, state: 'new', at: 0n });
  await store.setStatus('a1', { state: 'done', at: 1_795_000_000_123_456_789n });
  expect(store.get('a1')).toMatchObject({ name: 'one', state: 'done' });
  expect(await store.readStatus('a1')).toMatchObject({ state: 'done', at: 1_795_000_000_123_456_789n });
  expect(await store.readStatus('a1')).not.toHaveProperty('name');
});

test('one that was forgotten is not brought back by a late change', async () => {
  store.put({ ...thing, state: 'new', at: 0n });
  await store.saveStatus('a1', { state: 'new', at: 0n });
  await store.forget('a1');
  await store.setStatus('a1', { state: 'done' });
  expect(store.get('a1')).toBeNull();
  expect(store.byName('one')).toBeNull();
  expect(readdirSync(root)).toEqual([]);
  await store.forget('a1');
});

test('a status of an older cristal is read, and so is what is written over it', async () => {
  mkdirSync(join(root, 'a1'));
  writeFileSync(join(root, 'a1', 'status.json'), '{"at":{"$int":"7"},"state":"old","version":1}\n');
  expect(await store.readStatus('a1')).toMatchObject({ state: 'old', at: 7n });
  await store.saveStatus('a1', { state: 'new', at: 8n });
  expect(await store.readStatus('a1')).toMatchObject({ state: 'new', at: 8n });
});

test('a status that is too long for a page is written too, and so is a short one after it', async () => {
  for (const state of ['short', 'x'.repeat(5000), 'short again', 'y'.repeat(9000), 'z'.repeat(4096)]) {
    await store.saveStatus('a1', { state, at: 0n });
    expect(await store.readStatus('a1')).toMatchObject({ state });
    expect(readdirSync(join(root, 'a1'))).toEqual(['status.json']);
  }
});

test('of two changes at once the later one is on disk', async () => {
  store.put({ ...thing, state: 'new', at: 0n });
  const states = Array.from({ length: 50 }, (_, number) => `state ${number}`.repeat(1 + (number % 3)));
  await Promise.all(states.map((state) => store.setStatus('a1', { state })));
  expect(await store.readStatus('a1')).toMatchObject({ state: states.at(-1) });
});

test('a status that is half of one writing and half of another is data_loss', async () => {
  const file = join(root, 'a1', 'status.json');
  await store.saveStatus('a1', { state: 'a'.repeat(1000), at: 0n });
  const old = readFileSync(file);
  await store.saveStatus('a1', { state: 'b'.repeat(1000), at: 0n });
  writeFileSync(file, Buffer.concat([readFileSync(file).subarray(0, 512), old.subarray(512)]));
  await expect(store.readStatus('a1')).rejects.toMatchObject({
    code: 'data_loss',
    message: expect.stringContaining('checksum'),
  });
});

test('no status file is null, one that is no record is data_loss', async () => {
  expect(await store.readStatus('a1')).toBeNull();
  await store.saveStatus('a1', { state: 'new', at: 0n });
  writeFileSync(join(root, 'a1', 'status.json'), '');
  await expect(store.readStatus('a1')).rejects.toMatchObject({ code: 'data_loss' });
});
