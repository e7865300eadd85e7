import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image__Output } from '../../src/gen/runtime/v1/Image.ts';
import type { PrivateCni } from '../fixtures/cni.ts';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import type { BuiltImage } from '../fixtures/images.ts';
import { buildImage, buildIndex, pushImage } from '../fixtures/images.ts';
import { eventually } from '../fixtures/processes.ts';
import type { PrivateRegistry } from '../fixtures/registry.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import { containerdVersions, tools, whyNot } from '../fixtures/tools.ts';

/** An image that no other test has: the text is in its only layer. */
function imageOf(text: string, config: object = {}): Promise<BuiltImage> {
  return buildImage({ layers: [{ files: [{ path: 'text', data: text }] }], config });
}

function tagsOf(image: Image__Output | null): string[] | null {
  return image?.repoTags ?? null;
}

/** Puts a program in the place of the one verifier. */
function writeVerifier(dir: string, script: string): void {
  writeFileSync(join(dir, 'policy'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, 'policy'), 0o755);
}

describe.each(containerdVersions)('image records on containerd %s', (version) => {
  const skip = whyNot(version) ?? (tools.registry === null ? 'no docker-registry' : null);
  let ctd: PrivateContainerd;
  let registry: PrivateRegistry;
  let cni: PrivateCni;
  let cristal: PrivateCristal;
  let dir: string;
  let verifiers: string;
  let early: BuiltImage;

  const status = async (image: string) => (await cristal.cri.image.imageStatus({ image: { image } })).image;
  const pull = async (image: string) => await cristal.cri.image.pullImage({ image: { image } });
  const remove = async (image: string) => await cristal.cri.image.removeImage({ image: { image } });
  const push = async (repo: string, image: BuiltImage) => {
    await pushImage(registry.url, repo, '1', image);
    return `${registry.host}/${repo}:1`;
  };
  const labelsIn = async (name: string) =>
    (await ctd.ctr('images', 'ls', `name==${name}`)).trim().split('\n').at(-1) ?? '';
  const layersIn = async (snapshotter: string): Promise<number> =>
    (await ctd.ctr('snapshots', '--snapshotter', snapshotter, 'ls')).trimEnd().split('\n').length - 1;
  const pullFor = async (image: string, runtimeHandler: string) =>
    await cristal.cri.image.pullImage({ image: { image, runtimeHandler } });
  const blobCount = async () => (await ctd.ctr('content', 'ls', '-q')).trim().split('\n').length;

  beforeAll(async () => {
    if (skip !== null) return;
    dir = scratchDir('records');
    verifiers = join(dir, 'verifiers');
    mkdirSync(verifiers);
    [ctd, registry] = await Promise.all([startContainerd({ version }), startRegistry()]);
    cni = createCni();
    early = await imageOf('early');
    await ctd.ctr('images', 'pull', '--plain-http', await push('keep/early', early));
    const lines = [
      '[images]',
      `certs_dir = ${JSON.stringify(registry.certsDir)}`,
      `pinned = [${JSON.stringify(`${registry.host}/keep/*`)}]`,
      `verifier_dir = ${JSON.stringify(verifiers)}`,
      'verifier_timeout_ms = 2000',
      '[runtimes.slow]',
      'snapshotter = "native"',
    ];
    cristal = await startCristal({ containerd: ctd, cni, tables: lines });
  });

  afterAll(async () => {
    if (skip !== null) return;
    await cristal?.stop();
    await cni?.stop();
    await Promise.all([ctd?.stop(), registry?.stop()]);
    removeScratch(dir);
  });

  describe.skipIf(skip !== null)('pinned', () => {
    test('an image that was there before cristal is pinned and labelled', async () => {
      const name = `${registry.host}/keep/early:1`;
      expect(await status(name)).toMatchObject({ pinned: true, repoTags: [name] });
      expect(await labelsIn(name)).toContain('io.cri-containerd.pinned=pinned');
    });

    test('a pulled one too, by all of its names; others are not; RemoveImage removes it', async () => {
      const kept = await push('keep/pulled', await imageOf('kept'));
      const other = await push('other/pulled', await imageOf('other'));
      await pull(kept);
      await pull(other);
      const image = await status(kept);
      for (const name of [kept, ...(image?.repoDigests ?? []), image?.id ?? '']) {
        expect(await labelsIn(name), name).toContain('io.cri-containerd.pinned=pinned');
      }
      expect(await status(other)).toMatchObject({ pinned: false });
      const { images } = await cristal.cri.image.listImages({});
      expect(images.find(({ id }) => id === image?.id)).toMatchObject({ pinned: true });
      await remove(kept);
      expect(await status(kept)).toBeNull();
    });
  });

  test.skipIf(skip !== null)(
    'an image that is taken off the list is unpinned at the next start',
    async () => {
      const name = `${registry.host}/keep/early:1`;
      const settings = readFileSync(cristal.configFile, 'utf8');
      writeFileSync(cristal.configFile, settings.replace(/^pinned = .*$/m, 'pinned = []'));
      await cristal.restart();
      expect(await status(name)).toMatchObject({ pinned: false });
      expect(await labelsIn(name)).not.toContain('pinned');
      writeFileSync(cristal.configFile, settings);
      await cristal.restart();
      expect(await labelsIn(name)).toContain('io.cri-containerd.pinned=pinned');
    },
  );

  describe.skipIf(skip !== null)('other tools', () => {
    test('what ctr pulls, tags and removes appears and disappears', async () => {
      const image = await imageOf('by ctr');
      const name = await push('ctr/app', image);
      await ctd.ctr('images', 'pull', '--plain-http', name);
      expect(await eventually(async () => (await status(name))?.id === image.configDigest)).toBe(true);

      await ctd.ctr('images', 'tag', name, 'docker.io/library/mine:2');
      expect(await eventually(async () => tagsOf(await status('mine:2'))?.length === 2)).toBe(true);
      expect(tagsOf(await status(image.configDigest))).toEqual([name, 'docker.io/library/mine:2'].toSorted());

      await ctd.ctr('images', 'rm', name);
      expect(await eventually(async () => (await status(name)) === null)).toBe(true);
      expect(tagsOf(await status('mine:2'))).toEqual(['docker.io/library/mine:2']);
      await ctd.ctr('images', 'rm', 'docker.io/library/mine:2');
      expect(await eventually(async () => (await status(image.configDigest)) === null)).toBe(true);
    });

    test('a tag that moves goes with the other image', async () => {
      const [one, two] = [await imageOf('one'), await imageOf('two')];
      const [first, second] = [await push('move/one', one), await push('move/two', two)];
      await pull(first);
      await pull(second);
      await ctd.ctr('images', 'tag', first, 'a.test/moving:1');
      expect(await eventually(async () => (await status('a.test/moving:1'))?.id === one.configDigest)).toBe(
        true,
      );
      await ctd.ctr('images', 'tag', '--force', second, 'a.test/moving:1');
      await remove(first);
      expect((await status('a.test/moving:1'))?.id).toBe(two.configDigest);
    });
  });

  describe.skipIf(skip !== null)('status and removal', () => {
    test('every form of reference finds the image; verbose tells of its config', async () => {
      const image = buildIndex([await imageOf('find me', { User: '1000:50', Env: ['A=b'] })]);
      const name = await push('find/me', image);
      await pull(name);
      await ctd.ctr('images', 'tag', name, 'docker.io/library/found:latest');
      expect(await eventually(async () => (await status('found')) !== null)).toBe(true);
      const id = image.configDigest;
      const { digest } = image.target;
      const repo = `${registry.host}/find/me`;
      for (const ref of [
        name,
        `${repo}@${digest}`,
        `${repo}:1@${digest}`,
        'found',
        'library/found:latest',
        'docker.io/found',
        digest,
        id,
        id.slice(7),
        id.slice(0, 19),
        id.slice(7, 19),
      ]) {
        expect((await status(ref))?.id, ref).toBe(id);
      }
      const { image: found, info } = await cristal.cri.image.imageStatus({
        image: { image: id },
        verbose: true,
      });
      const size = String([...image.blobs.values()].reduce((sum, { length }) => sum + length, 0));
      expect(found).toMatchObject({ uid: { value: '1000' }, username: '', size, spec: { image: id } });
      expect(JSON.parse(info?.['info'] ?? '')).toMatchObject({
        chainID: image.diffIds[0],
        imageSpec: { os: 'linux', config: { User: '1000:50', Env: ['A=b'] } },
      });
    });

    test('removal by one tag removes every name, and once more is no error', async () => {
      const image = await imageOf('remove me');
      const name = await push('remove/me', image);
      await pull(name);
      await ctd.ctr('images', 'tag', name, 'a.test/second:1');
      await remove(name);
      for (const ref of [name, 'a.test/second:1', image.configDigest]) expect(await status(ref)).toBeNull();
      expect(await ctd.ctr('images', 'ls', '-q', `target.digest==${image.target.digest}`)).toBe('');
      for (const ref of [name, image.configDigest, 'a.test/never:1']) await remove(ref);
    });

    test('ImageFsInfo tells of images and containers', async () => {
      const { imageFilesystems, containerFilesystems } = await cristal.cri.image.imageFsInfo({});
      // The default one comes first, at which the kubelet looks.
      const mountpoints = ['overlayfs', 'native'].map((name) => ({
        fsId: { mountpoint: join(ctd.root, `io.containerd.snapshotter.v1.${name}`) },
      }));
      expect(imageFilesystems).toMatchObject(mountpoints);
      expect(containerFilesystems).toMatchObject(mountpoints);
      expect(containerFilesystems.map(({ usedBytes }) => usedBytes?.value)).toEqual(['0', '0']);
      expect(Number(imageFilesystems[0]?.usedBytes?.value)).toBeGreaterThan(1_000);
    });
  });

  describe.skipIf(skip !== null)('a runtime handler with a snapshotter of its own', () => {
    test('gets the image there, and everybody sees one image, which goes from both', async () => {
      const image = await imageOf('for both');
      const name = await push('handler/app', image);
      const before = { overlayfs: await layersIn('overlayfs'), native: await layersIn('native') };
      expect(await pullFor(name, 'slow')).toEqual({ imageRef: image.configDigest });
      expect(await layersIn('native')).toBe(before.native + 1);
      expect(await layersIn('overlayfs')).toBe(before.overlayfs);
      expect(await status(name)).toMatchObject({ id: image.configDigest, repoTags: [name] });

      expect(await pullFor(name, '')).toEqual({ imageRef: image.configDigest });
      expect(await layersIn('overlayfs')).toBe(before.overlayfs + 1);
      const { images } = await cristal.cri.image.listImages({});
      expect(images.filter(({ id }) => id === image.configDigest)).toHaveLength(1);

      await remove(name);
      expect({ overlayfs: await layersIn('overlayfs'), native: await layersIn('native') }).toEqual(before);
    });

    test('is told of by the pod’s annotation too; an unknown handler is refused', async () => {
      const name = await push('handler/annotated', await imageOf('annotated'));
      const before = await layersIn('native');
      await cristal.cri.image.pullImage({
        image: { image: name },
        sandboxConfig: { annotations: { 'io.containerd.cri.runtime-handler': 'slow' } },
      });
      expect(await layersIn('native')).toBe(before + 1);
      await expect(pullFor(name, 'none')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await remove(name);
      expect(await layersIn('native')).toBe(before);
    });
  });

  describe.skipIf(skip !== null)('verifiers', () => {
    afterAll(() => {
      if (skip === null) writeVerifier(verifiers, 'exit 0');
    });

    test('a refused image is not fetched; one that is let in is', async () => {
      const name = await push('verify/me', await imageOf('verify me'));
      writeVerifier(verifiers, 'grep -q \'"mediaType"\' && echo "not signed by us: $2"; exit 1');
      const before = await blobCount();
      await expect(pull(name)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        cause: { details: `SignatureValidationFailed: ${name}: policy: not signed by us: ${name}` },
      });
      expect(await blobCount()).toBe(before);
      writeVerifier(verifiers, `echo "$@" > ${dir}/asked`);
      await pull(name);
      expect(existsSync(join(dir, 'asked'))).toBe(true);
    });

    test('one that hangs refuses in its time', async () => {
      const name = await push('verify/slow', await imageOf('slow'));
      writeVerifier(verifiers, 'sleep 100');
      await expect(pull(name)).rejects.toThrow(/SignatureValidationFailed: .*no end after 2000 ms/);
    });
  });
});
