import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ContainerConfig, FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld, failure, SLEEPER } from './faults/world.ts';
import { buildImage, busyboxLayer } from './fixtures/images.ts';
import type { Snapshot } from './fixtures/leaks.ts';
import { containerdVersions, whyNot } from './fixtures/tools.ts';

/** Two layers, so that it takes an overlay to see it whole. */
const volumeImage = () =>
  buildImage({
    layers: [
      {
        files: [
          { path: 'lower', data: 'below\n' },
          { path: 'hidden', data: 'below\n' },
          { path: 'data/', mode: 0o755 },
          { path: 'data/file', data: 'of the image\n', uid: 12, gid: 34, mode: 0o640 },
          { path: 'data/run', data: '#!/bin/sh\necho ran\n', mode: 0o755 },
          { path: 'absolute', linkTo: '/data' },
          { path: 'outside', linkTo: '../../../../../../../../etc' },
        ],
      },
      { files: [{ path: 'hidden', data: 'above\n' }] },
    ],
  });

/** A volume with content at the end of a symlink, one that the image has nothing at, and one that it only names. */
const imageWithVolumes = () =>
  buildImage({
    layers: [
      busyboxLayer(),
      {
        files: [
          { path: 'srv/', mode: 0o755 },
          { path: 'srv/db/', mode: 0o1770, uid: 12, gid: 34 },
          { path: 'srv/db/file', data: 'of the image\n', uid: 56, gid: 78, mode: 0o4711 },
          { path: 'srv/db/link', linkTo: 'file' },
          { path: 'data', linkTo: '/srv/db' },
        ],
      },
    ],
    config: { Env: ['PATH=/bin'], Cmd: ['sh'], Volumes: { '/data': {}, '/none': {}, '/taken': {} } },
  });

describe.each(containerdVersions)('volumes over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('are', () => {
    let world: FaultWorld;
    let pod: PodConfig;
    let podId: string;
    let host: string;
    let clean: Snapshot;

    beforeAll(async () => {
      const images = { volume: await volumeImage(), declares: await imageWithVolumes() };
      world = await createFaultWorld(version, { images });
      pod = world.pod('main');
      podId = await world.runPod(pod);
      host = join(world.logs, 'host');
      mkdirSync(host);
    });
    beforeEach(async () => {
      clean = await world.state();
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    const create = async (container: ContainerConfig) => await world.createContainer(podId, pod, container);
    const start = async (container: ContainerConfig): Promise<string> => {
      const id = await create(container);
      await world.cri.runtime.startContainer({ containerId: id });
      return id;
    };
    const sh = async (containerId: string, script: string) => {
      const cmd = ['sh', '-c', `{ ${script}; } 2>&1`];
      const { stdout, exitCode } = await world.cri.runtime.execSync({ containerId, cmd, timeout: 10 });
      return { text: String(stdout), exitCode };
    };
    const remove = async (containerId: string) => {
      await world.cri.runtime.removeContainer({ containerId });
      expect(await world.left(clean)).toEqual([]);
    };
    const ofImage = (containerPath: string, change: object = {}) => ({
      containerPath,
      readonly: true,
      image: { image: world.images['volume'] },
      ...change,
    });
    const withMounts = (name: string, mounts: object[]) => world.container(name, SLEEPER, { mounts });

    test('those of an image: whole, read-only, with their digest told, and gone with the container', async () => {
      const id = await start(
        withMounts('of-image', [ofImage('/vol'), ofImage('/part', { imageSubPath: 'data' })]),
      );
      const { text } = await sh(
        id,
        'cat /vol/lower /vol/hidden /part/file; stat -c "%u %g %a" /part/file; /part/run',
      );
      expect(text).toBe('below\nabove\nof the image\n12 34 640\nran\n');
      for (const path of ['/vol/new', '/vol/lower', '/part/file']) {
        expect(await sh(id, `echo x > ${path}`)).toMatchObject({
          text: expect.stringContaining('Read-only file system'),
        });
      }
      expect((await sh(id, 'mount -o remount,rw /vol')).exitCode).not.toBe(0);
      const { status } = await world.cri.runtime.containerStatus({ containerId: id });
      expect(status?.mounts.map(({ containerPath, image }) => [containerPath, image?.imageRef])).toEqual([
        ['/vol', expect.stringMatching(/\/volume@sha256:[0-9a-f]{64}$/)],
        ['/part', expect.stringMatching(/\/volume@sha256:[0-9a-f]{64}$/)],
      ]);
      await remove(id);
    });

    test('those of one image in two containers: each has its own', async () => {
      const one = await start(withMounts('one', [ofImage('/vol')]));
      const two = await start(withMounts('two', [ofImage('/vol')]));
      await world.cri.runtime.removeContainer({ containerId: one });
      expect((await sh(two, 'cat /vol/hidden')).text).toBe('above\n');
      await remove(two);
    });

    test.each([
      ['absolute', 'file'],
      ['data/..hidden', null],
      ['lower', null],
      ['outside', null],
    ])('a sub path through %s stays in the image', async (imageSubPath, first) => {
      const container = withMounts('sub', [ofImage('/vol', { imageSubPath })]);
      if (first === null) {
        const error = await failure(create(container));
        expect(error.message).toMatch(/ImageVolumeMountFailed: mount at "\/vol": /);
        expect(error.code).toBe('FAILED_PRECONDITION');
        expect(await world.left(clean)).toEqual([]);
        return;
      }
      const id = await start(container);
      expect((await sh(id, 'ls /vol')).text).toContain(first);
      await remove(id);
    });

    test('an image that is not here is named', async () => {
      const image = { image: 'nowhere.test/none:1' };
      const error = await failure(create(withMounts('absent', [ofImage('/vol', { image })])));
      expect(error).toMatchObject({
        code: 'FAILED_PRECONDITION',
        message: expect.stringContaining('nowhere.test/none:1'),
      });
      expect(await world.left(clean)).toEqual([]);
    });

    test('ids that its pod does not have are refused', async () => {
      const ids = [{ containerId: 0, hostId: 100_000, length: 65_536 }];
      const mapped = ofImage('/vol', { uidMappings: ids, gidMappings: ids });
      const error = await failure(create(withMounts('mapped', [mapped])));
      expect(error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining("not those of its pod's user namespace"),
      });
      expect(await world.left(clean)).toEqual([]);
    });

    test('an image volume survives the garbage collector and kill -9, and is removed after it', async () => {
      const id = await start(withMounts('survivor', [ofImage('/vol')]));
      await world.cristal.kill9();
      await world.containerd.ctr('leases', 'create', '--id', 'collect');
      await world.containerd.ctr('leases', 'delete', '--sync', 'collect');
      await world.cristal.resume();
      expect((await sh(id, 'cat /vol/hidden')).text).toBe('above\n');
      await remove(id);
    });

    const SNAPSHOTS = '/containerd.services.snapshots.v1.Snapshots';
    const CONTAINERS = '/containerd.services.containers.v1.Containers';
    const steps = [`${SNAPSHOTS}/View`, `${CONTAINERS}/Create`].flatMap((method) =>
      (['before', 'after'] as const).map((when) => ({ method, when })),
    );
    /** With an image volume, and with volumes that its image declares. */
    const both = () => ({
      ...withMounts('both', [ofImage('/vol', { imageSubPath: 'data' })]),
      image: { image: world.images['declares'] },
    });

    test.each(steps)('taken back when $method fails $when it took effect', async ({ method, when }) => {
      const rule = world.proxy.rule({ method, when, action: 'fail', code: 'UNKNOWN', times: 1 });
      expect((await failure(create(both()))).message).toContain("the test's proxy failed");
      rule.remove();
      expect(await world.left(clean)).toEqual([]);
      await remove(await start(both()));
    });

    test.each(steps)('taken back after kill -9 $when $method', async ({ method, when }) => {
      const { hit } = world.proxy.rule({ method, when, action: 'hang', times: 1 });
      const outcome = create(both()).catch(() => 'broken');
      await hit;
      await world.cristal.kill9();
      expect(await outcome).toBe('broken');
      await world.cristal.resume();
      world.proxy.clearRules();
      expect(await world.left(clean)).toEqual([]);
      await remove(await start(both()));
    });

    test('those that an image declares: copied with owners and modes, and gone with the container', async () => {
      mkdirSync(join(host, 'taken'));
      const container = {
        ...withMounts('declares', [{ hostPath: join(host, 'taken'), containerPath: '/taken/' }]),
        image: { image: world.images['declares'] },
      };
      const id = await start(container);
      const look = 'stat -c "%n %u %g %a" /data/. /data/file /none; readlink /data/link; cat /data/file';
      expect((await sh(id, look)).text).toBe(
        '/data/. 12 34 1770\n/data/file 56 78 4711\n/none 0 0 755\nfile\nof the image\n',
      );
      expect(
        (await sh(id, 'echo mine > /data/own; echo mine > /none/own; echo mine > /taken/own')).exitCode,
      ).toBe(0);
      expect(readFileSync(join(host, 'taken/own'), 'utf8')).toBe('mine\n');
      // The volume is none of the root file system's: what was written is not in the snapshot.
      expect((await sh(id, 'grep -c " /srv/db \\| /none \\| /taken " /proc/self/mountinfo')).text).toBe(
        '3\n',
      );
      const other = await start({ ...container, metadata: { name: 'other', attempt: 0 } });
      expect((await sh(other, 'ls /data')).text).toBe('file\nlink\n');
      await world.cri.runtime.removeContainer({ containerId: other });
      await remove(id);
    });
  });
});
