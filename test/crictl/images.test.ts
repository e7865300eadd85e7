import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerdVersions, whyNotCrictl } from '../fixtures/tools.ts';
import type { CrictlWorld } from './world.ts';
import { createWorld, usesBuiltin } from './world.ts';

interface Image {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: string;
}

describe.each(containerdVersions)('crictl and images against containerd %s', (version) => {
  describe.skipIf(whyNotCrictl(version) !== null)('one image', () => {
    let world: CrictlWorld;
    beforeAll(async () => {
      world = await createWorld(version);
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    async function images(): Promise<Image[]> {
      return (await world.crictl.json<{ images: Image[] | null }>('images')).images ?? [];
    }

    test('pull by tag, and images lists it', async () => {
      await world.crictl.text('pull', world.image);
      expect(await images()).toEqual([
        expect.objectContaining({
          id: world.imageId,
          repoTags: [world.image],
          repoDigests: [world.imageByDigest],
        }),
      ]);
      expect(Number((await images())[0]?.size)).toBeGreaterThan(100_000);
    });

    test.each(['image', 'imageByDigest', 'imageId'] as const)('inspecti finds it by its %s', async (name) => {
      const { status } = await world.crictl.json<{ status: Image }>('inspecti', world[name]);
      expect(status.id).toBe(world.imageId);
    });

    test('inspecti finds it by the start of its id, and tells its configuration', async () => {
      interface Told {
        status: Image;
        info: { imageSpec: { architecture: string; config: { Cmd: string[]; Env: string[] } } };
      }
      const { status, info } = await world.crictl.json<Told>('inspecti', world.imageId.slice(7, 20));
      expect(status.id).toBe(world.imageId);
      expect(info.imageSpec.config).toMatchObject({ Env: ['PATH=/bin'], Cmd: ['sleep', '3600'] });
    });

    test('images shows its line, and with -v all of it', async () => {
      const [header = '', line = ''] = (await world.crictl.text('images')).split('\n');
      expect(header).toMatch(/^IMAGE +TAG +IMAGE ID +SIZE$/);
      expect(line.split(/ +/)).toEqual([
        world.image.replace(/:1$/, ''),
        '1',
        world.imageId.slice(7, 20),
        expect.stringMatching(/^[\d.]+[kM]B$/),
      ]);
      const shown = await world.crictl.text('images', '-v');
      expect(shown).toContain(`ID: ${world.imageId}`);
      expect(shown).toContain(`RepoTags: ${world.image}`);
      expect(shown).toContain(`RepoDigests: ${world.imageByDigest}`);
    });

    test('rmi --prune spares what a container stands on, and takes the rest', async () => {
      const podConfig = world.podFile({ name: 'prune' });
      const pod = await world.crictl.text('runp', podConfig);
      const container = world.containerFile('prune', ['sleep', '3600']);
      await world.crictl.text('create', pod, container, podConfig);
      await world.crictl.text('rmi', '--prune');
      expect(await images()).toHaveLength(1);
      await world.crictl.text('rmp', '-f', pod);
      await world.crictl.text('rmi', '--prune');
      // To the built-in CRI of 2.x it is the pause image, which stays.
      if (!usesBuiltin) expect(await images()).toEqual([]);
      await world.crictl.text('pull', world.image);
    });

    test('rmi by id removes every name, and once more is no error for the server', async () => {
      await world.crictl.text('rmi', world.imageId);
      expect(await images()).toEqual([]);
    });

    test('pull by digest has no tag', async () => {
      await world.crictl.text('pull', world.imageByDigest);
      expect(await images()).toEqual([
        expect.objectContaining({ id: world.imageId, repoTags: [], repoDigests: [world.imageByDigest] }),
      ]);
      await world.crictl.text('rmi', world.imageByDigest);
      expect(await images()).toEqual([]);
    });

    test('a tag that is not there says so', async () => {
      const failed = await world.crictl.run('pull', world.image.replace(/:1$/, ':absent'));
      expect(failed.code).not.toBe(0);
      expect(failed.stderr).toMatch(/not found|NotFound|manifest unknown/i);
    });

    test('imagefsinfo names the file system of the images', async () => {
      interface FsInfo {
        status: { imageFilesystems: { fsId: { mountpoint: string } }[] };
      }
      const { status } = await world.crictl.json<FsInfo>('imagefsinfo');
      expect(status.imageFilesystems[0]?.fsId.mountpoint).toContain(
        usesBuiltin ? 'overlayfs' : world.containerd.dir,
      );
    });
  });
});
