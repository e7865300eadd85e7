import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultConfig } from '../../src/config/schema.ts';
import type { Containerd } from '../../src/containerd/client.ts';
import { createContainerd } from '../../src/containerd/client.ts';
import { connect } from '../../src/containerd/connection.ts';
import { chainIds } from '../../src/image/chain-id.ts';
import type { ImageService } from '../../src/registry/service.ts';
import { createImageService } from '../../src/registry/service.ts';
import { createImageStore } from '../../src/store/images.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { BuiltImage } from '../fixtures/images.ts';
import { buildImage, busyboxLayer } from '../fixtures/images.ts';
import type { LazySnapshotter } from '../fixtures/lazy-snapshotter.ts';
import { startLazySnapshotter } from '../fixtures/lazy-snapshotter.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';

const signal = AbortSignal.timeout(120_000);
const log = pino({ level: 'silent' });

/** Three layers above busybox, of which the names are told apart by `last`. */
function imageOf(last: string): Promise<BuiltImage> {
  const layers = ['first', 'second', last].map((name) => ({
    files: [{ path: name, data: name }],
    compression: 'none' as const,
  }));
  return buildImage({ layers: [busyboxLayer('none'), ...layers], config: { Env: ['PATH=/bin'] } });
}

/**
 * A snapshotter over containerd's own protocol for such, which has the lower layers of an image before they
 * are fetched.
 */
describe.each(containerdVersions)('a remote snapshotter on containerd %s', (version) => {
  const skip = whyNot(version);
  const ended = new AsyncDisposableStack();
  const fetched: string[] = [];
  let ctd: PrivateContainerd;
  let containerd: Containerd;
  let images: ImageService;
  let lazy: LazySnapshotter;
  let host: string;
  let first: BuiltImage;
  let second: BuiltImage;

  const pull = (name: string, snapshotter = 'lazy') =>
    images.pull({ reference: `${host}/${name}`, auth: null, snapshotter }, signal);
  const run = (name: string, ...command: string[]) =>
    ctd.ctr('run', '--rm', '--snapshotter', 'lazy', `${host}/${name}`, `t${Date.now()}`, ...command);

  beforeAll(async () => {
    if (skip !== null) return;
    [first, second] = await Promise.all([imageOf('third'), imageOf('other')]);
    const known = first.diffIds.slice(0, 3);
    const tars = new Map(known.map((digest) => [digest, first.blobs.get(digest) ?? Buffer.alloc(0)]));
    const backend = ended.use(await startContainerd({ version }));
    lazy = ended.use(await startLazySnapshotter(backend, tars));
    ctd = ended.use(await startContainerd({ version, snapshotters: { lazy: lazy.address } }));
    const server = createServer((request, response) => {
      const [name = '', kind = '', object = ''] = (request.url ?? '').split('/').slice(2);
      const image = name === 'first' ? first : second;
      const digest = object.startsWith('sha256:') ? object : image.target.digest;
      if (kind === 'blobs') fetched.push(digest);
      const mediaType = kind === 'blobs' ? 'application/octet-stream' : image.target.mediaType;
      const data = image.blobs.get(digest) ?? Buffer.alloc(0);
      const headers = { 'content-type': mediaType, 'docker-content-digest': digest };
      response.writeHead(200, { ...headers, 'content-length': data.length });
      response.end(request.method === 'HEAD' ? undefined : data);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ended.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    containerd = createContainerd(ended.use(connect({ address: ctd.address, namespace: 'k8s.io', log })));
    images = ended.use(
      createImageService({
        containerd,
        store: createImageStore(containerd, log),
        config: { ...defaultConfig().images, certsDir: '/nowhere' },
        snapshotter: 'overlayfs',
        log,
      }),
    );
  });

  afterAll(() => ended.disposeAsync());

  test.skipIf(skip !== null)('is told what it needs, and what it has is not fetched', async () => {
    const image = await pull('first');
    const layers = first.diffIds;
    expect(fetched.toSorted()).toEqual([first.configDigest, layers[3] ?? ''].toSorted());
    const prefix = 'containerd.io/snapshot';
    const wanted = layers.map((digest, place) => ({
      [`${prefix}.ref`]: chainIds(layers)[place],
      [`${prefix}/cri.image-ref`]: `${host}/first:latest`,
      [`${prefix}/cri.manifest-digest`]: first.target.digest,
      [`${prefix}/cri.layer-digest`]: digest,
      [`${prefix}/cri.image-layers`]: layers.slice(place).join(','),
    }));
    expect(lazy.asked).toMatchObject(wanted);
    expect(image).toMatchObject({ id: first.configDigest, repoTags: [`${host}/first:latest`] });
    expect(await run('first:latest', '/bin/cat', '/first', '/second', '/third')).toBe('firstsecondthird');
    expect((await containerd.leases.list()).map(({ id }) => id)).toEqual([]);
  });

  test.skipIf(skip !== null)(
    'its layers serve the next image, and a second pull asks for nothing',
    async () => {
      fetched.splice(0);
      lazy.asked.splice(0);
      await pull('second');
      await pull('second');
      expect(fetched.toSorted()).toEqual([second.configDigest, second.diffIds[3] ?? ''].toSorted());
      expect(lazy.asked).toHaveLength(1);
      expect(await run('second:latest', '/bin/cat', '/second', '/other')).toBe('secondother');
    },
  );

  test.skipIf(skip !== null)(
    'one that loads nothing lazily gets all layers, and no such labels',
    async () => {
      fetched.splice(0);
      const image = await pull('first', 'overlayfs');
      expect(fetched.toSorted()).toEqual(first.diffIds.slice(0, 3).toSorted());
      const { labels } = await containerd.snapshots.stat('overlayfs', image.chainId);
      expect(Object.keys(labels).filter((name) => name.includes('cri.'))).toEqual([]);
    },
  );

  test.skipIf(skip !== null)('what it made is collected with the image', async () => {
    for (const name of ['first', 'second']) {
      const image = images.store.find(`${host}/${name}`);
      if (image !== null) await images.remove(image);
    }
    expect(await containerd.snapshots.list('lazy')).toEqual([]);
  });
});
