import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld, failure, SLEEPER } from './faults/world.ts';
import { mountDeaf } from './fixtures/deaf-mount.ts';
import type { Snapshot } from './fixtures/leaks.ts';
import { containerdVersions, whyNot } from './fixtures/tools.ts';

/** A mount of the host, as tests change it. */
interface Wanted {
  hostPath: string;
  containerPath: string;
  [key: string]: unknown;
}

describe.each(containerdVersions)('mounts of the host over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('are', () => {
    let world: FaultWorld;
    let pod: PodConfig;
    let podId: string;
    let host: string;
    let clean: Snapshot;
    let count = 0;

    beforeAll(async () => {
      world = await createFaultWorld(version);
      const plain = world.pod('main');
      // One of its containers mounts file systems.
      const linux = { ...(plain['linux'] as object), securityContext: { privileged: true } };
      pod = { ...plain, linux };
      podId = await world.runPod(pod);
      host = join(world.logs, 'host');
      mkdirSync(join(host, 'dir/sub'), { recursive: true });
      writeFileSync(join(host, 'dir/file'), 'of the host\n');
      execFileSync('mount', ['-t', 'tmpfs', 'cristal-test', join(host, 'dir/sub')]);
    });
    beforeEach(async () => {
      clean = await world.state();
    });
    afterAll(async () => {
      if (host) execFileSync('umount', ['-R', join(host, 'dir/sub')]);
      await world?.[Symbol.asyncDispose]();
    });

    const create = async (mounts: Wanted[]): Promise<string> => {
      count += 1;
      return await world.createContainer(podId, pod, world.container(`m${count}`, SLEEPER, { mounts }));
    };
    const start = async (...mounts: Wanted[]): Promise<string> => {
      const id = await create(mounts);
      await world.cri.runtime.startContainer({ containerId: id });
      return id;
    };
    const sh = async (containerId: string, script: string) => {
      const cmd = ['sh', '-c', `{ ${script}; } 2>&1`];
      const { stdout } = await world.cri.runtime.execSync({ containerId, cmd, timeout: 10 });
      return String(stdout).trimEnd();
    };
    const remove = async (containerId: string) => {
      await world.cri.runtime.removeContainer({ containerId });
      expect(await world.left(clean)).toEqual([]);
    };
    /** The options of the mount at a path, as the container's kernel tells them. */
    const optionsAt = async (id: string, path: string) =>
      (await sh(id, `grep " ${path} " /proc/self/mountinfo | cut -d" " -f6`)).split(',');

    test('read-only at the top, or all the way down', async () => {
      const dir = { hostPath: join(host, 'dir'), readonly: true };
      const id = await start(
        { ...dir, containerPath: '/ro' },
        { ...dir, containerPath: '/rro', recursiveReadOnly: true },
      );
      const tries = ['/ro/x', '/ro/sub/x', '/rro/x', '/rro/sub/x'].map(
        (path) => `echo x > ${path} && echo written ${path}`,
      );
      const said = await sh(id, tries.join('; '));
      expect(said.split('\n').filter((line) => line.startsWith('written'))).toEqual(['written /ro/sub/x']);
      expect(said.match(/Read-only file system/g)).toHaveLength(3);
      await remove(id);
    });

    test('with the options that were asked for', async () => {
      writeFileSync(join(host, 'dir/run'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
      const hostPath = join(host, 'dir');
      const id = await start(
        { hostPath, containerPath: '/plain' },
        { hostPath, containerPath: '/with', mountOptions: ['nosuid', 'nodev', 'noexec'] },
      );
      expect(await optionsAt(id, '/with')).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec']));
      expect(await sh(id, '/plain/run; /with/run')).toMatch(/^ran\n.*Permission denied/);
      await remove(id);
    });

    test('files, sockets, and what a symlink names; what is missing is made', async () => {
      const path = join(host, 'socket');
      await using server = createServer();
      await new Promise<void>((resolve) => server.listen(path, resolve));
      symlinkSync('dir/file', join(host, 'link'));
      const id = await start(
        { hostPath: join(host, 'link'), containerPath: '/link' },
        { hostPath: path, containerPath: '/run/socket' },
        { hostPath: join(host, 'made/of/nothing'), containerPath: '/made' },
      );
      expect(await sh(id, 'cat /link; stat -c %F /run/socket; touch /made/x')).toBe('of the host\nsocket');
      expect(existsSync(join(host, 'made/of/nothing/x'))).toBe(true);
      await remove(id);
    });

    test('nested whatever their order, and the later of two at one path is seen', async () => {
      for (const name of ['a', 'b', 'c']) {
        mkdirSync(join(host, name, 'inner'), { recursive: true });
        writeFileSync(join(host, name, 'name'), name);
      }
      const id = await start(
        { hostPath: join(host, 'b'), containerPath: '/x/inner' },
        { hostPath: join(host, 'a'), containerPath: '/x' },
        { hostPath: join(host, 'a'), containerPath: '/y/../z/' },
        { hostPath: join(host, 'c'), containerPath: '/z' },
      );
      expect(await sh(id, 'cat /x/name /x/inner/name /z/name')).toBe('abc');
      await remove(id);
    });

    test('shared, followed or private, as asked', async () => {
      const shared = join(host, 'shared');
      mkdirSync(shared);
      execFileSync('mount', ['-t', 'tmpfs', 'cristal-test', shared]);
      try {
        const dir = { hostPath: shared };
        execFileSync('mount', ['--make-private', shared]);
        const error = await failure(
          create([{ ...dir, containerPath: '/s', propagation: 'PROPAGATION_HOST_TO_CONTAINER' }]),
        );
        expect(error).toMatchObject({
          code: 'FAILED_PRECONDITION',
          message: expect.stringContaining(shared),
        });
        execFileSync('mount', ['--make-shared', shared]);
        mkdirSync(join(shared, 'later'));
        const privileged = { linux: { securityContext: { privileged: true } } };
        const mounts = [
          { ...dir, containerPath: '/private' },
          { ...dir, containerPath: '/slave', propagation: 'PROPAGATION_HOST_TO_CONTAINER' },
          { ...dir, containerPath: '/shared', propagation: 'PROPAGATION_BIDIRECTIONAL' },
        ];
        const config = world.container('propagates', SLEEPER, { mounts, ...privileged });
        const id = await world.createContainer(podId, pod, config);
        await world.cri.runtime.startContainer({ containerId: id });
        execFileSync('mount', ['-t', 'tmpfs', 'cristal-test', join(shared, 'later')]);
        writeFileSync(join(shared, 'later/file'), 'seen\n');
        const look = 'cd /; ls private/later slave/later shared/later';
        expect(await sh(id, look)).toBe('private/later:\n\nshared/later:\nfile\n\nslave/later:\nfile');
        await sh(id, 'mkdir /shared/own && mount -t tmpfs own /shared/own && echo mine > /shared/own/file');
        expect(readFileSync(join(shared, 'own/file'), 'utf8')).toBe('mine\n');
        await world.cri.runtime.removeContainer({ containerId: id });
      } finally {
        execFileSync('umount', ['-R', shared]);
      }
      expect(await world.left(clean)).toEqual([]);
    });

    test('refused by name, in time, when the file system does not answer', async () => {
      const dead = join(host, 'dead');
      mkdirSync(dead);
      using _deaf = mountDeaf(dead);
      const begun = performance.now();
      const error = await failure(create([{ hostPath: join(dead, 'x'), containerPath: '/x' }]));
      expect(error).toMatchObject({
        code: 'DEADLINE_EXCEEDED',
        message: expect.stringContaining(`${join(dead, 'x')}: no answer after 10000 ms`),
      });
      expect(performance.now() - begun).toBeLessThan(20_000);
      // Other pods go on.
      await remove(await start({ hostPath: join(host, 'dir'), containerPath: '/dir' }));
    });
  });
});
