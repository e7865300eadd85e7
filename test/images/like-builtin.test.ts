import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Containerd } from '../../src/containerd/client.ts';
import { createContainerd } from '../../src/containerd/client.ts';
import { connect } from '../../src/containerd/connection.ts';
import { createCni } from '../fixtures/cni.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { CriClient } from '../fixtures/cri-client.ts';
import { createCriClient } from '../fixtures/cri-client.ts';
import { startCristal } from '../fixtures/cristal.ts';
import type { BuiltImage, Layer } from '../fixtures/images.ts';
import { buildImage, buildIndex, pushImage } from '../fixtures/images.ts';
import type { PrivateRegistry } from '../fixtures/registry.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { containerdVersions, tools, whyNot } from '../fixtures/tools.ts';

const log = pino({ level: 'silent' });

/** One CRI, and the containerd below it. */
interface Side {
  containerd: Containerd;
  cri: CriClient;
}

/** Everything that other tools see of images. Times are left out. */
async function seen({ containerd }: Side) {
  const [images, content, snapshots] = await Promise.all([
    containerd.images.list(),
    containerd.content.list(),
    containerd.snapshots.list('overlayfs'),
  ]);
  return {
    images: images
      .map(({ name, labels, target: { mediaType, digest, size } }) => ({
        name,
        labels,
        mediaType,
        digest,
        size,
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    content: Object.fromEntries(content.map(({ digest, labels }) => [digest, comparable(labels)])),
    snapshots: snapshots.map(({ name, parent, kind }) => `${kind} ${name} on ${parent}`).toSorted(),
  };
}

/**
 * Without what a layer unpacks to, which is noted for the next who asks, and found out if it is not; and with
 * the first repository alone, since not each version of containerd adds others to a blob that it has.
 */
function comparable(labels: Record<string, string>): Record<string, string> {
  const entries = Object.entries(labels).filter(([name]) => name !== 'containerd.io/uncompressed');
  return Object.fromEntries(
    entries.map(([name, value]) => [name, name.includes('.source.') ? value.replace(/,.*/, '') : value]),
  );
}

describe.each(containerdVersions)('images of cristal and of the built-in CRI on containerd %s', (version) => {
  const skip = whyNot(version) ?? (tools.registry === null ? 'no docker-registry' : null);
  const ended = new AsyncDisposableStack();
  let registry: PrivateRegistry;
  let ours: Side;
  let theirs: Side;
  let image: BuiltImage;

  beforeAll(async () => {
    if (skip !== null) return;
    registry = ended.use(await startRegistry());
    const { certsDir } = registry;
    const cni = ended.use(createCni());
    const plain = ended.use(await startContainerd({ version }));
    const full = ended.use(await startContainerd({ version, cri: true, cniConfDir: cni.confDir, certsDir }));
    const cristal = ended.use(await startCristal({ containerd: plain, cni, certsDir }));
    const clientOf = (address: string) =>
      createContainerd(ended.use(connect({ address, namespace: 'k8s.io', log })));
    ours = { containerd: clientOf(plain.address), cri: cristal.cri };
    theirs = { containerd: clientOf(full.address), cri: ended.use(createCriClient(full.address)) };

    const layers: Layer[] = [
      { files: [{ path: 'one', data: '1' }] },
      { files: [{ path: 'two', data: '2' }], compression: 'zstd' },
    ];
    const mine = await buildImage({ layers, config: { User: '1000', Env: ['A=b'] } });
    const other = await buildImage({ layers: [], architecture: 's390x' });
    image = buildIndex([other, mine]);
    await pushImage(registry.url, 'same/index', '1', image);
    await pushImage(registry.url, 'same/single', '1', mine);
  });

  afterAll(() => ended.disposeAsync());

  test.skipIf(skip !== null).each([
    ['by tag', () => `${registry.host}/same/index:1`],
    ['once more', () => `${registry.host}/same/index:1`],
    ['by digest', () => `${registry.host}/same/index@${image.target.digest}`],
    ['by tag and digest', () => `${registry.host}/same/index:1@${image.target.digest}`],
    ['without an index', () => `${registry.host}/same/single:1`],
  ])('are the same after a pull %s', async (_, name) => {
    const wish = { image: { image: name() } };
    const [own, other] = [await ours.cri.image.pullImage(wish), await theirs.cri.image.pullImage(wish)];
    expect(own).toEqual(other);
    expect(await seen(ours)).toEqual(await seen(theirs));
    const status = await ours.cri.image.imageStatus({ ...wish, verbose: true });
    const builtin = await theirs.cri.image.imageStatus({ ...wish, verbose: true });
    // containerd leaves the spec out, in which the CRI wants the image's annotations.
    expect({ ...status.image, spec: null }).toEqual(builtin.image);
    expect(JSON.parse(status.info['info'] ?? '')).toMatchObject(
      JSON.parse(builtin.info['info'] ?? '') as object,
    );
  });

  test.skipIf(skip !== null)('are the same after a removal', async () => {
    const wish = { image: { image: `${registry.host}/same/single:1` } };
    await ours.cri.image.removeImage(wish);
    await theirs.cri.image.removeImage(wish);
    const left = await seen(ours);
    expect(left).toEqual(await seen(theirs));
    expect(left.images).toEqual([]);
  });
});
