import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Containerd } from '../src/containerd/client.ts';
import { createContainerd } from '../src/containerd/client.ts';
import type { Connection } from '../src/containerd/connection.ts';
import { connect } from '../src/containerd/connection.ts';
import type { ContainerRecord } from '../src/containerd/containers.ts';
import type { ContainerdEvent } from '../src/containerd/events.ts';
import type { Mount } from '../src/containerd/mount.ts';
import { runcOptions } from '../src/containerd/runtime-options.ts';
import { readFeatures } from '../src/spec/features.ts';
import type { PrivateContainerd } from './fixtures/containerd.ts';
import { startContainerd } from './fixtures/containerd.ts';
import { removeCgroups } from './fixtures/host-state.ts';
import type { BuiltImage } from './fixtures/images.ts';
import { busyboxImage, sha256 } from './fixtures/images.ts';
import { containerdVersions, whyNot } from './fixtures/tools.ts';

const SNAPSHOTTER = 'overlayfs';
const SPEC = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';
const PROCESS = 'types.containerd.io/opencontainers/runtime-spec/1/Process';
const RESOURCES = 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources';
const log = pino({ level: 'silent' });

describe.each(containerdVersions)('containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('client', () => {
    let daemon: PrivateContainerd;
    let connection: Connection;
    let containerd: Containerd;

    beforeAll(async () => {
      daemon = await startContainerd({ version });
      connection = connect({ address: daemon.address, namespace: 'k8s.io', log });
      containerd = createContainerd(connection);
      await containerd.namespaces.ensure('k8s.io');
    });
    afterAll(async () => {
      connection[Symbol.dispose]();
      await daemon.stop();
      removeCgroups('/cristal-test');
    });

    test('version, plugins and namespaces', async () => {
      expect((await containerd.version()).version).toMatch(version === '1.6' ? /^1\.6\./ : /^v?2\.3\./);

      const plugins = await containerd.introspection.plugins(['type==io.containerd.snapshotter.v1']);
      expect(plugins.map(({ type }) => type)).toContain('io.containerd.snapshotter.v1');
      expect(plugins.find(({ id }) => id === SNAPSHOTTER)).toMatchObject({ initError: null });

      await expect(containerd.namespaces.ensure('k8s.io')).resolves.toBeUndefined();
    });

    test('a shim tells the features of its runtime, where containerd can ask', async () => {
      const options = runcOptions({ systemdCgroup: false, binaryName: '', root: '' });
      const asked = containerd.introspection.runtimeFeatures({ name: 'io.containerd.runc.v2', options });
      if (version === '1.6') await expect(asked).rejects.toMatchObject({ code: 'unimplemented' });
      else expect(readFeatures(await asked).mountOptions).toContain('rro');
    });

    test('leases hold resources, and deleting twice is fine', async () => {
      await containerd.leases.create('l1', { 'cristal.test': 'yes' });
      await expect(containerd.leases.create('l1')).rejects.toMatchObject({ code: 'already_exists' });
      await containerd.leases.addResource('l1', { type: `snapshots/${SNAPSHOTTER}`, id: 'some-key' });
      expect(await containerd.leases.resources('l1')).toEqual([
        { type: `snapshots/${SNAPSHOTTER}`, id: 'some-key' },
      ]);
      expect(await containerd.leases.list(['labels."cristal.test"==yes'])).toMatchObject([{ id: 'l1' }]);
      expect(await containerd.leases.delete('l1', { sync: true })).toBe(true);
      expect(await containerd.leases.delete('l1')).toBe(false);
    });

    test('content is written, resumed, read, labelled', async () => {
      const { content, leases } = containerd;
      const blob = Buffer.alloc(3_500_000, 'cristal');
      const digest = sha256(blob);
      const wanted = { ref: 'blob', total: blob.length, expected: digest, lease: 'hold' };
      await leases.create('hold');

      const first = await content.writer(wanted);
      await first.write(blob.subarray(0, 1_500_000));
      await first.close();
      expect(await content.status('blob')).toMatchObject({ offset: 1_500_000, total: blob.length });

      const second = await content.writer(wanted);
      expect(second.offset).toBe(1_500_000);
      await expect(content.writer(wanted)).rejects.toMatchObject({ code: 'unavailable' });
      await second.write(blob.subarray(second.offset));
      await second.commit({ 'cristal.test': 'label' });
      await second.close();

      expect(await content.status('blob')).toBeNull();
      expect(await content.info(digest)).toMatchObject({
        size: blob.length,
        labels: { 'cristal.test': 'label' },
      });
      expect(await content.info(sha256('nothing'))).toBeNull();
      await expect(content.writer(wanted)).rejects.toMatchObject({ code: 'already_exists' });
      expect((await content.readAll(digest, blob.length)).equals(blob)).toBe(true);
      await expect(content.readAll(digest, 100)).rejects.toMatchObject({ code: 'resource_exhausted' });
      await expect(content.readAll(sha256('nothing'), 1)).rejects.toMatchObject({ code: 'not_found' });
      const pieces = [];
      for await (const piece of content.read(digest, { offset: 7, size: 7 })) pieces.push(piece);
      expect(Buffer.concat(pieces).toString()).toBe('cristal');

      await content.update(digest, { more: 'x' }, ['labels.more']);
      expect(await content.list(['labels.more==x'])).toMatchObject([{ digest, labels: { more: 'x' } }]);

      const wrong = await content.writer({ ref: 'wrong', total: 3, expected: sha256('abc'), lease: 'hold' });
      await wrong.write(Buffer.from('abd'));
      await expect(wrong.commit({})).rejects.toMatchObject({ code: 'failed_precondition' });
      await wrong.close();
      expect(await content.abort('wrong')).toBe(true);
      expect(await content.abort('wrong')).toBe(false);
      await leases.delete('hold', { sync: true });
      expect(await content.info(digest)).toBeNull(); // the lease was all that held it
    });

    test('a small blob comes in one message, over what an earlier try left', async () => {
      const { content, leases } = containerd;
      const data = Buffer.from('a small blob');
      const digest = sha256(data.toString());
      const blob = { ref: 'small', expected: digest, data, labels: { 'cristal.test': 'put' }, lease: 'put' };
      await leases.create('put');

      const begun = await content.writer({
        ref: 'small',
        total: data.length,
        expected: digest,
        lease: 'put',
      });
      await expect(content.put(blob)).rejects.toMatchObject({ code: 'unavailable' });
      await begun.write(Buffer.from('other'));
      await begun.close();
      await content.put(blob);
      expect(await content.status('small')).toBeNull();
      expect(await content.info(digest)).toMatchObject({ size: data.length, labels: blob.labels });
      expect((await content.readAll(digest, 100)).equals(data)).toBe(true);

      // Namespaces share their bytes, so containerd begins at the end of what another one has.
      using elsewhere = connect({ address: connection.address, namespace: 'elsewhere', log });
      const other = createContainerd(elsewhere);
      await other.namespaces.ensure('elsewhere');
      await other.leases.create('put');
      await other.content.put(blob);
      expect((await other.content.readAll(digest, 100)).equals(data)).toBe(true);
      await other.leases.delete('put', { sync: true });

      await expect(content.put({ ...blob, ref: 'again' })).rejects.toMatchObject({ code: 'already_exists' });
      expect(await content.status('again')).toBeNull();
      const wrong = { ...blob, ref: 'wrong', expected: sha256('nothing like it') };
      await expect(content.put(wrong)).rejects.toMatchObject({ code: 'failed_precondition' });
      expect(await content.abort('wrong')).toBe(true);
      const stopped = AbortSignal.abort(new Error('no more'));
      await expect(content.put(wrong, { signal: stopped })).rejects.toMatchObject({ code: 'cancelled' });
      await leases.delete('put', { sync: true });
      expect(await content.info(digest)).toBeNull();
    });

    test('an image becomes a container that runs, is watched and is taken apart', async () => {
      const image = await busyboxImage();
      await containerd.leases.create('pull');
      await storeBlobs(containerd, image);

      const name = 'cristal.test/busybox:1';
      await using events = listenTo(containerd);
      await events.saw((event) => event.type === 'subscribed');
      await createImage(containerd, name, image);
      await events.saw((event) => event.type === 'image-create' && event.name === name);

      const chainId = await unpack(containerd, image);
      const mounts = await containerd.snapshots.prepare(SNAPSHOTTER, 'c1', chainId, {}, { lease: 'pull' });
      expect(await containerd.snapshots.mounts(SNAPSHOTTER, 'c1')).toEqual(mounts);
      expect(await containerd.snapshots.stat(SNAPSHOTTER, 'c1')).toMatchObject({
        kind: 'active',
        parent: chainId,
      });
      await checkContainerRecord(containerd, name);
      await checkTask(containerd, mounts, events);

      expect(await containerd.containers.delete('c1')).toBe(true);
      expect(await containerd.containers.delete('c1')).toBe(false);
      await expect(containerd.snapshots.remove(SNAPSHOTTER, chainId)).rejects.toMatchObject({
        code: 'failed_precondition',
      });
      expect(await containerd.snapshots.remove(SNAPSHOTTER, 'c1')).toBe(true);
      expect(await containerd.snapshots.remove(SNAPSHOTTER, 'c1')).toBe(false);
      await containerd.leases.delete('pull');
      expect(await containerd.images.delete(name, { sync: true })).toBe(true);
      expect(await containerd.images.delete(name, { sync: true })).toBe(false);
      await events.saw((event) => event.type === 'image-delete' && event.name === name);
    });

    test('a list of many containers is not bound by the size of a message', async () => {
      const spec = { typeUrl: SPEC, value: Buffer.from(JSON.stringify({ filler: 'x'.repeat(100_000) })) };
      const ids = Array.from({ length: 200 }, (_, index) => `many-${index}`);
      for (const id of ids) await containerd.containers.create(record(id, { spec }));
      const found = await containerd.containers.list(['labels."cristal.test"==many']);
      expect(found.map(({ id }) => id).sort()).toEqual(ids.sort());
      await Promise.all(ids.map((id) => containerd.containers.delete(id)));
    });

    test('a restarted containerd is found at once', async () => {
      await using events = listenTo(containerd);
      await events.saw((event) => event.type === 'subscribed');
      await daemon.halt();
      await expect(events.ended).rejects.toMatchObject({ code: 'unavailable' });
      await expect(containerd.version()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(daemon.address) as string,
      });
      await daemon.resume();
      await expect.poll(() => containerd.version(), { timeout: 3_000 }).toBeTruthy();
    });
  });
});

async function storeBlobs({ content }: Containerd, image: BuiltImage): Promise<void> {
  for (const [digest, blob] of image.blobs) {
    await using writer = await content.writer({
      ref: digest,
      total: blob.length,
      expected: digest,
      lease: 'pull',
    });
    await writer.write(blob);
    await writer.commit({});
  }
}

async function createImage({ images }: Containerd, name: string, image: BuiltImage): Promise<void> {
  const { mediaType, digest, size } = image.target;
  const target = { mediaType, digest, size, annotations: {} };
  const created = await images.create({ name, labels: { z: '1' }, target });
  expect(created).toEqual(await images.get(name));
  await expect(images.create({ name, labels: {}, target })).rejects.toMatchObject({ code: 'already_exists' });
  const updated = await images.update({ name, labels: { x: 'y' }, target }, ['labels.x']);
  expect(updated).toMatchObject({ name, labels: { x: 'y', z: '1' }, target });
  expect(updated).toEqual(await images.get(name));
  expect(await images.get('nobody')).toBeNull();
  expect(await images.list([`name==${JSON.stringify(name)}`])).toHaveLength(1);
}

/** Returns the chain id, which for a single layer is its diff id. */
async function unpack({ snapshots, diff }: Containerd, image: BuiltImage): Promise<string> {
  const manifest = JSON.parse(image.blobs.get(image.target.digest)?.toString() ?? '') as {
    layers: { mediaType: string; digest: string; size: number }[];
  };
  const layer = manifest.layers[0];
  if (!layer) throw new Error('the image has no layer');
  const lease = { lease: 'pull' };
  const mounts = await snapshots.prepare(SNAPSHOTTER, 'unpacking', '', {}, lease);
  await expect(snapshots.prepare(SNAPSHOTTER, 'unpacking', '', {}, lease)).rejects.toMatchObject({
    code: 'already_exists',
  });
  const applied = await diff.apply({ descriptor: { ...layer, annotations: {} }, mounts, ...lease });
  expect(applied.digest).toBe(image.diffIds[0]);
  await snapshots.commit(SNAPSHOTTER, applied.digest, 'unpacking', { made: 'here' }, lease);
  await snapshots.updateLabels(SNAPSHOTTER, applied.digest, { more: 'x' });
  expect(await snapshots.list(SNAPSHOTTER, ['kind==committed'])).toMatchObject([
    { name: applied.digest, labels: { made: 'here', more: 'x' } },
  ]);
  expect((await snapshots.usage(SNAPSHOTTER, applied.digest)).size).toBeGreaterThan(100_000);
  const view = await snapshots.view(SNAPSHOTTER, 'look', applied.digest, {}, lease);
  expect(view).toHaveLength(1);
  await snapshots.remove(SNAPSHOTTER, 'look');
  return applied.digest;
}

function ociSpec(): object {
  return {
    ociVersion: '1.0.2',
    process: {
      args: ['sh', '-c', 'echo hello; exec sleep 100'],
      cwd: '/',
      env: ['PATH=/bin'],
      user: { uid: 0, gid: 0 },
    },
    root: { path: 'rootfs' },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: [] }],
    linux: {
      cgroupsPath: `/cristal-test/${process.pid}-${Date.now()}`,
      namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
    },
  };
}

function record(id: string, overrides: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id,
    labels: { 'cristal.test': 'many' },
    image: '',
    runtime: { name: 'io.containerd.runc.v2', options: null },
    spec: { typeUrl: SPEC, value: Buffer.from('{}') }, // containerd insists on one
    snapshotter: SNAPSHOTTER,
    snapshotKey: '',
    extensions: {},
    createdAt: 0n,
    ...overrides,
  };
}

async function checkContainerRecord({ containers }: Containerd, image: string): Promise<void> {
  const extension = { typeUrl: 'cristal.test/v1', value: Buffer.from('{"version":1}') };
  const options = runcOptions({ systemdCgroup: false, binaryName: '', root: '' });
  await containers.create(
    record('c1', {
      image,
      labels: { a: '1' },
      runtime: { name: 'io.containerd.runc.v2', options },
      spec: { typeUrl: SPEC, value: Buffer.from(JSON.stringify(ociSpec())) },
      snapshotKey: 'c1',
      extensions: { cristal: extension },
    }),
  );
  const created = await containers.get('c1');
  await expect(containers.create(created)).rejects.toMatchObject({ code: 'already_exists' });
  expect(created).toMatchObject({ image, labels: { a: '1' }, snapshotKey: 'c1' });
  expect(created.createdAt).toBeGreaterThan(1_600_000_000_000_000_000n);
  expect(created.extensions['cristal']).toEqual(extension);
  expect(created.runtime.options).toEqual(options);

  const changed = { ...extension, value: Buffer.from('{"version":2}') };
  await containers.update({ ...created, labels: {}, extensions: { cristal: changed } }, [
    'extensions.cristal',
  ]);
  const updated = await containers.get('c1');
  expect(updated.labels).toEqual({ a: '1' });
  expect(updated.extensions['cristal']).toEqual(changed);
  await expect(containers.get('nobody')).rejects.toMatchObject({ code: 'not_found' });
}

async function checkTask({ tasks }: Containerd, mounts: Mount[], events: Listener): Promise<void> {
  const dir = await mkdtemp('/tmp/cristal-test-fifo-');
  // The shim wants both or none of stdout and stderr.
  const [stdout, stderr] = [join(dir, 'out'), join(dir, 'err')];
  execFileSync('mkfifo', [stdout, stderr]);
  const fifo = await open(stdout, 'r+');
  const errors = await open(stderr, 'r+');
  try {
    const { pid } = await tasks.create({
      containerId: 'c1',
      rootfs: mounts,
      stdin: '',
      stdout,
      stderr,
      terminal: false,
    });
    expect(await tasks.get('c1')).toMatchObject({ id: 'c1', pid, status: 'created', exitedAt: 0n });
    await tasks.start('c1');
    await events.saw((event) => event.type === 'task-start' && event.containerId === 'c1');
    expect((await fifo.read()).buffer.toString('utf8', 0, 5)).toBe('hello');
    expect(await tasks.list()).toMatchObject([{ id: 'c1', pid, status: 'running' }]);
    const limits = { pids: { limit: 64 } };
    await tasks.update('c1', { typeUrl: RESOURCES, value: Buffer.from(JSON.stringify(limits)) });

    await runExec({ tasks }, events);
    await expect(tasks.delete('c1')).rejects.toThrow('running');
    const exit = tasks.wait('c1');
    await tasks.kill({ containerId: 'c1', signal: 9, all: true });
    expect(await exit).toMatchObject({ exitStatus: 137 });
    expect((await tasks.get('c1')).status).toBe('stopped');
    const end = await events.saw((event) => event.type === 'task-exit' && event.id === 'c1');
    expect(end).toMatchObject({ containerId: 'c1', pid, exitStatus: 137 });
    expect(await tasks.delete('c1')).toMatchObject({ pid, exitStatus: 137 });
    expect(await tasks.delete('c1')).toBeNull();
    await expect(tasks.get('c1')).rejects.toMatchObject({ code: 'not_found' });
    await expect(tasks.kill({ containerId: 'c1', signal: 9 })).rejects.toMatchObject({
      code: 'not_found',
    });
  } finally {
    await fifo.close();
    await errors.close();
    await rm(dir, { recursive: true });
  }
}

async function runExec({ tasks }: Pick<Containerd, 'tasks'>, events: Listener): Promise<void> {
  const process = {
    args: ['sh', '-c', 'exit 7'],
    cwd: '/',
    env: ['PATH=/bin'],
    user: { uid: 0, gid: 0 },
  };
  const spec = { typeUrl: PROCESS, value: Buffer.from(JSON.stringify(process)) };
  const names = { containerId: 'c1', execId: 'e1' };
  await tasks.exec({ ...names, spec, stdin: '', stdout: '', stderr: '', terminal: false });
  expect(await tasks.get('c1', 'e1')).toMatchObject({ id: 'c1', execId: 'e1', status: 'created' });
  const exit = tasks.wait('c1', 'e1');
  const { pid } = await tasks.start('c1', 'e1');
  expect(await exit).toMatchObject({ exitStatus: 7 });
  expect((await exit).exitedAt).toBeGreaterThan(1_600_000_000_000_000_000n);
  const end = await events.saw((event) => event.type === 'task-exit' && event.id === 'e1');
  expect(end).toMatchObject({ containerId: 'c1', pid, exitStatus: 7 });
  expect(await tasks.deleteProcess('c1', 'e1')).toMatchObject({ pid, exitStatus: 7 });
  expect(await tasks.deleteProcess('c1', 'e1')).toBeNull();
}

interface Listener extends AsyncDisposable {
  /** Resolves with the first event, past or to come, that the claim holds for. */
  saw(claim: (event: ContainerdEvent['event']) => boolean): Promise<ContainerdEvent['event']>;
  ended: Promise<void>;
}

function listenTo({ events }: Containerd): Listener {
  const stop = new AbortController();
  const seen: ContainerdEvent['event'][] = [];
  const stream = events.subscribe(['topic~="/tasks/.*"', 'topic~="/images/.*"'], stop.signal);
  const ended = (async () => {
    for await (const { event } of stream) seen.push(event);
  })();
  ended.catch(() => {}); // whoever cares awaits it
  return {
    saw: (claim) =>
      expect
        .poll(() => seen.find(claim), { timeout: 5_000 })
        .toBeTruthy()
        .then(() => seen.find(claim) as never),
    ended,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended.catch(() => {});
    },
  };
}
