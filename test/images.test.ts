import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultConfig, defaultRuntimeHandler } from '../src/config/schema.ts';
import type { Containerd } from '../src/containerd/client.ts';
import { createContainerd } from '../src/containerd/client.ts';
import type { Connection } from '../src/containerd/connection.ts';
import { connect } from '../src/containerd/connection.ts';
import { streamFile } from '../src/host/files.ts';
import type { ImageService } from '../src/registry/service.ts';
import { createImageService } from '../src/registry/service.ts';
import { createDiskUsage } from '../src/rpc/image/disk-usage.ts';
import { imageFsInfo } from '../src/rpc/image/image-fs-info.ts';
import { createImageStore } from '../src/store/images.ts';
import type { PrivateContainerd } from './fixtures/containerd.ts';
import { startContainerd } from './fixtures/containerd.ts';
import type { BuiltImage, Layer } from './fixtures/images.ts';
import {
  buildImage,
  buildIndex,
  busyboxImage,
  busyboxLayer,
  hostArchitecture,
  pushImage,
  sha256,
  writeDockerArchive,
  writeOciArchive,
} from './fixtures/images.ts';
import { eventually } from './fixtures/processes.ts';
import type { PrivateRegistry } from './fixtures/registry.ts';
import { startRegistry } from './fixtures/registry.ts';
import { removeScratch, scratchDir } from './fixtures/scratch.ts';
import { containerdVersions, tools, whyNot } from './fixtures/tools.ts';

const signal = AbortSignal.timeout(300_000);
const log = pino({ level: process.env['TEST_LOG'] ?? 'silent' });

function file(path: string, data: string, compression: Layer['compression'] = 'gzip'): Layer {
  return { files: [{ path, data }], compression };
}

/** Serves an image from memory as a registry would. */
function answer(image: BuiltImage, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '', 'http://x');
  const object = pathname.slice(pathname.lastIndexOf('/') + 1);
  const digest = object.startsWith('sha256:') ? object : image.target.digest;
  const data = image.blobs.get(digest);
  if (data === undefined) return void response.writeHead(404).end();
  const mediaType = pathname.includes('/manifests/') ? image.target.mediaType : 'application/octet-stream';
  const headers = { 'content-type': mediaType, 'docker-content-digest': digest };
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, { ...headers, 'content-length': data.length - start });
  response.end(request.method === 'HEAD' ? undefined : data.subarray(start));
}

/** A certs.d directory with one hosts.toml. */
function withHosts(host: string, text: string): string {
  const certsDir = scratchDir('certs');
  mkdirSync(join(certsDir, host), { recursive: true });
  writeFileSync(join(certsDir, host, 'hosts.toml'), text);
  return certsDir;
}

describe.each(containerdVersions)('images on containerd %s', (version) => {
  const skip = whyNot(version) ?? (tools.registry === null ? 'no docker-registry' : null);
  let ctd: PrivateContainerd;
  let registry: PrivateRegistry;
  let connection: Connection;
  let containerd: Containerd;
  let images: ImageService;
  let dir: string;
  const servers: Server[] = [];

  const newService = (settings: { stallTimeoutMs?: number; certsDir?: string } = {}): ImageService =>
    createImageService({
      containerd,
      store: createImageStore(containerd, log),
      config: { ...defaultConfig().images, certsDir: join(dir, 'none'), stallTimeoutMs: 20_000, ...settings },
      snapshotter: 'overlayfs',
      log,
    });

  /** A server between us and the registry, which may do anything. */
  const serve = async (
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> => {
    const server = createServer(handle);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  };

  const pull = (reference: string, service = images) =>
    service.pull({ reference, auth: null, snapshotter: 'overlayfs' }, signal);

  /** Runs a command on the image's snapshots, without our help. */
  const runs = (name: string, ...command: string[]) =>
    ctd.ctr('run', '--rm', '--net-host', name, `t${Math.random().toString(36).slice(2)}`, ...command);

  const leftovers = async () => ({
    leases: (await containerd.leases.list()).map(({ id }) => id),
    extracts: (await containerd.snapshots.list('overlayfs')).filter(({ kind }) => kind === 'active'),
  });

  beforeAll(async () => {
    if (skip !== null) return;
    dir = scratchDir('images');
    [ctd, registry] = await Promise.all([startContainerd({ version }), startRegistry()]);
    connection = connect({ address: ctd.address, namespace: 'k8s.io', log });
    containerd = createContainerd(connection);
    images = newService();
  });

  afterAll(async () => {
    if (skip !== null) return;
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await images[Symbol.asyncDispose]();
    connection[Symbol.dispose]();
    await Promise.all([ctd.stop(), registry.stop()]);
    removeScratch(dir);
  });

  test.skipIf(skip !== null)(
    'a pull leaves content, snapshots and the three names of containerd’s CRI',
    async () => {
      const image = await busyboxImage({
        layers: [busyboxLayer(), file('hello', 'one', 'zstd'), file('hello', 'two', 'none')],
      });
      await pushImage(registry.url, 'a/first', 'v1', image);

      const pulled = await pull(`${registry.host}/a/first:v1`);

      const repo = `${registry.host}/a/first`;
      expect(pulled).toMatchObject({
        id: image.configDigest,
        repoTags: [`${repo}:v1`],
        repoDigests: [`${repo}@${image.target.digest}`],
        names: [`${repo}:v1`, `${repo}@${image.target.digest}`, image.configDigest],
        size: [...image.blobs.values()].reduce((sum, { length }) => sum + length, 0),
        pinned: false,
        config: { cmd: ['sh'], env: ['PATH=/bin'] },
      });
      const records = await containerd.images.list([`target.digest==${image.target.digest}`]);
      expect(records.map(({ name }) => name).sort()).toEqual(pulled.names.toSorted());
      expect(records.every(({ labels }) => labels['io.cri-containerd.image'] === 'managed')).toBe(true);
      const config = await containerd.content.info(image.configDigest);
      expect(config?.labels).toMatchObject({
        'containerd.io/gc.ref.snapshot.overlayfs': pulled.chainId,
        'containerd.io/distribution.source.127.0.0.1': 'a/first',
      });
      expect(await runs(`${repo}:v1`, 'cat', '/hello')).toBe('two');
      expect(await leftovers()).toEqual({ leases: [], extracts: [] });
      expect(await ctd.ctr('images', 'check')).toMatch(/complete \(4\/4\).*true/);
    },
  );

  test.skipIf(skip !== null)(
    'an index of docker’s types is followed to this machine, by tag and by digest',
    async () => {
      const mine = await buildImage({
        flavour: 'docker',
        layers: [busyboxLayer('zstd'), file('arch', 'mine')],
      });
      const other = await buildImage({
        flavour: 'docker',
        architecture: 's390x',
        layers: [file('arch', 'other')],
      });
      const index = buildIndex([other, mine], 'docker');
      await pushImage(registry.url, 'multi', 'latest', index);

      const pulled = await pull(`${registry.host}/multi:latest@${index.target.digest}`);
      expect(pulled.repoTags).toEqual([]);
      expect(pulled.repoDigests).toEqual([`${registry.host}/multi@${index.target.digest}`]);
      const again = await pull(`${registry.host}/multi`);
      expect(again).toMatchObject({ id: mine.configDigest, repoTags: [`${registry.host}/multi:latest`] });
      expect(await runs(`${registry.host}/multi:latest`, '/bin/cat', '/arch')).toBe('mine');
      expect(await containerd.content.info(other.configDigest)).toBeNull();
    },
  );

  test.skipIf(skip !== null)(
    'garbage collection spares what was pulled; removal frees all of it',
    async () => {
      const image = await buildImage({
        layers: [file('gc', 'a layer of its own'), file('gc2', 'and another')],
      });
      await pushImage(registry.url, 'gc', '1', image);
      const pulled = await pull(`${registry.host}/gc:1`);
      await containerd.leases.create('collect');
      await containerd.leases.delete('collect', { sync: true });
      for (const digest of image.blobs.keys()) expect(await containerd.content.info(digest)).not.toBeNull();
      expect(await containerd.snapshots.stat('overlayfs', pulled.chainId)).toMatchObject({
        kind: 'committed',
      });

      await images.remove(pulled);
      expect(images.store.find(pulled.id)).toBeNull();
      for (const digest of image.blobs.keys()) expect(await containerd.content.info(digest)).toBeNull();
      await expect(containerd.snapshots.stat('overlayfs', pulled.chainId)).rejects.toMatchObject({
        code: 'not_found',
      });
    },
  );

  test.skipIf(skip !== null)('images are found by every form of reference', async () => {
    const image = await buildImage({ layers: [file('find', 'me')], config: { User: 'app' } });
    await pushImage(registry.url, 'find/me', 'latest', image);
    const { id } = await pull(`${registry.host}/find/me`);
    const store = createImageStore(containerd, log);
    await store.load();
    for (const ref of [
      id,
      id.slice(7),
      id.slice(0, 20),
      id.slice(7, 20),
      `${registry.host}/find/me`,
      `${registry.host}/find/me:latest`,
      `${registry.host}/find/me@${image.target.digest}`,
      `${registry.host}/find/me:x@${image.target.digest}`,
      image.target.digest,
    ]) {
      expect(store.find(ref)?.id, ref).toBe(id);
    }
    for (const ref of ['', 'sha256:', 'nothing', `${registry.host}/find/me:2`, 'Not a Reference']) {
      expect(store.find(ref), ref).toBeNull();
    }
  });

  test.skipIf(skip !== null)('one unreadable image does not hide the others', async () => {
    const target = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: sha256('gone'),
      size: 4,
      annotations: {},
    };
    await containerd.images.create({ name: 'broken.test/x:1', labels: {}, target });
    const store = createImageStore(containerd, log);
    await store.load();
    expect(store.find('broken.test/x:1')).toBeNull();
    expect(store.list().length).toBeGreaterThan(0);
    await containerd.images.delete('broken.test/x:1', { sync: true });
  });

  test.skipIf(skip !== null)(
    'an image that ctr pulled appears, and is unpacked when it is needed',
    async () => {
      const image = await buildImage({ layers: [busyboxLayer(), file('by', 'ctr')] });
      await pushImage(registry.url, 'ctr', '1', image);
      const name = `${registry.host}/ctr:1`;
      await ctd.ctr('content', 'fetch', '--plain-http', name);
      await containerd.images.get(name);
      await images.store.refresh(name);
      const found = images.store.find(name);
      expect(found?.id).toBe(image.configDigest);
      if (found === null) return;

      await images.ensureUnpacked(found, 'native', signal);
      await images.ensureUnpacked(found, 'overlayfs', signal);
      expect(await runs(name, '/bin/cat', '/by')).toBe('ctr');
      expect(await leftovers()).toEqual({ leases: [], extracts: [] });
      await images.remove(found);
      expect(await containerd.snapshots.list('native')).toEqual([]);
    },
  );

  test.skipIf(skip !== null)('equal pulls join; one whose caller left goes on', async () => {
    const image = await buildImage({ layers: [file('join', 'j'.repeat(1000))] });
    let blobs = 0;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const host = await serve((request, response) => {
      if (!request.url?.includes('/blobs/')) return answer(image, request, response);
      blobs++;
      void held.then(() => answer(image, request, response));
    });
    const leaver = new AbortController();
    const request = { reference: `${host}/join`, auth: null, snapshotter: 'overlayfs' };
    const first = images.pull(request, leaver.signal);
    const second = images.pull(request, signal);
    leaver.abort(new Error('left'));
    await expect(first).rejects.toThrow('left');
    expect(await eventually(() => blobs === 2)).toBe(true);
    release();
    expect((await second).id).toBe(image.configDigest);
    expect(blobs).toBe(2); // config and layer, once each
  });

  test.skipIf(skip !== null)('a cut download is resumed where it was cut', async () => {
    const layer: Layer = {
      compression: 'none',
      files: [{ path: 'big', data: Buffer.alloc(6_000_000, 'x') }],
    };
    const image = await buildImage({ layers: [layer] });
    const ranges: (string | undefined)[] = [];
    const host = await serve((request, response) => {
      const digest = request.url?.split('/').at(-1) ?? '';
      if (digest !== image.diffIds[0]) return answer(image, request, response);
      ranges.push(request.headers.range);
      if (ranges.length > 1) return answer(image, request, response);
      const data = image.blobs.get(digest) ?? Buffer.alloc(0);
      response.writeHead(200, { 'content-length': data.length });
      response.write(data.subarray(0, 4_000_000), () => setTimeout(() => response.destroy(), 100));
    });
    await pull(`${host}/cut`);
    expect(ranges[0]).toBeUndefined();
    expect(Number(ranges[1]?.match(/\d+/)?.[0])).toBeGreaterThan(1_000_000);
  });

  test.skipIf(skip !== null)('wrong bytes never become an image, and a later pull starts anew', async () => {
    const image = await buildImage({ layers: [file('honest', 'bytes'.repeat(500), 'none')] });
    let lie = true;
    const host = await serve((request, response) => {
      const digest = request.url?.split('/').at(-1) ?? '';
      if (!lie || digest !== image.diffIds[0]) return answer(image, request, response);
      const data = image.blobs.get(digest) ?? Buffer.alloc(0);
      response.writeHead(200, { 'content-length': data.length }).end(Buffer.alloc(data.length, 'z'));
    });
    await expect(pull(`${host}/lie`)).rejects.toMatchObject({ code: 'data_loss' });
    expect(images.store.find(`${host}/lie`)).toBeNull();
    expect(await leftovers()).toEqual({ leases: [], extracts: [] });
    lie = false;
    expect((await pull(`${host}/lie`)).id).toBe(image.configDigest);
  });

  test.skipIf(skip !== null)('a stalled download ends', async () => {
    const image = await buildImage({ layers: [file('stall', 'ed')] });
    const host = await serve((request, response) => {
      if (!request.url?.includes('/blobs/')) return answer(image, request, response);
      response.writeHead(200);
      response.flushHeaders();
    });
    await using service = newService({ stallTimeoutMs: 300 });
    await expect(pull(`${host}/stall`, service)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^RegistryUnavailable: pull of .*: no data for 0\.3 s/) as string,
    });
    expect(await leftovers()).toEqual({ leases: [], extracts: [] });
  });

  test.skipIf(skip !== null)('a config that lies about its layers is refused', async () => {
    const image = await buildImage({ layers: [file('truth', 'a')] });
    const [diffId = ''] = image.diffIds;
    const forge = (from: string, to: string, size: number) => {
      const [digest, data] =
        [...image.blobs].find(([, blob]) => blob.includes(from) && blob[0] === 0x7b) ?? [];
      if (digest === undefined || data === undefined) throw new Error('nothing to forge');
      const forged = Buffer.from(data.toString().replaceAll(from, to));
      expect(forged.length).toBe(size === 0 ? data.length : size);
      image.blobs.delete(digest);
      image.blobs.set(sha256(forged), forged);
      return sha256(forged);
    };
    const config = forge(diffId, sha256('other'), 0);
    const manifest = forge(image.configDigest, config, 0);
    const forged = { ...image, target: { ...image.target, digest: manifest } };
    const host = await serve((request, response) => answer(forged, request, response));
    await expect(pull(`${host}/forged`)).rejects.toMatchObject({ code: 'data_loss' });
    expect(await leftovers()).toEqual({ leases: [], extracts: [] });
  });

  test.skipIf(skip !== null)('an image without layers is an image', async () => {
    await pushImage(registry.url, 'empty', '1', await buildImage({ layers: [] }));
    const pulled = await pull(`${registry.host}/empty:1`);
    expect(pulled.chainId).toBe('');
    await images.ensureUnpacked(pulled, 'overlayfs', signal);
  });

  test.skipIf(skip !== null)('pulls that share layers at the same time fetch each once', async () => {
    const shared = file('shared', 's'.repeat(3000));
    const one = await buildImage({ layers: [shared, shared, file('own', '1')] });
    const two = await buildImage({ layers: [shared, file('own', '2')] });
    const fetched: string[] = [];
    const host = await serve((request, response) => {
      if (request.url?.includes('/blobs/')) fetched.push(request.url.split('/').at(-1) ?? '');
      answer(request.url?.includes('/one/') ? one : two, request, response);
    });
    const pulled = await Promise.all([pull(`${host}/one`), pull(`${host}/two`)]);
    expect(pulled.map(({ id }) => id)).toEqual([one.configDigest, two.configDigest]);
    expect(new Set(fetched).size).toBe(fetched.length);
    expect(await leftovers()).toEqual({ leases: [], extracts: [] });
  });

  test.skipIf(skip !== null)('leases of a cristal that died are dropped, others are not', async () => {
    await containerd.leases.create('cristal-image-dead');
    await containerd.leases.create('somebody-else');
    await images.dropStaleLeases();
    expect((await leftovers()).leases).toEqual(['somebody-else']);
    await containerd.leases.delete('somebody-else');
  });

  test.skipIf(skip !== null)('the file system of images is measured', async () => {
    const config = { ...defaultConfig(), runtimes: { runc: defaultRuntimeHandler() } };
    const call = { rpc: 'ImageFsInfo', signal, log };
    const diskUsage = createDiskUsage(containerd, { snapshotters: ['overlayfs'], log });
    const { imageFilesystems = [] } = await imageFsInfo({ diskUsage, config }, {}, call);
    expect(imageFilesystems).toHaveLength(1);
    const [usage] = imageFilesystems;
    expect(usage?.fsId?.mountpoint).toBe(join(ctd.root, 'io.containerd.snapshotter.v1.overlayfs'));
    expect(existsSync(usage?.fsId?.mountpoint ?? '')).toBe(true);
    expect(usage?.usedBytes?.value).toBeGreaterThan(1_000_000);
    expect(usage?.inodesUsed?.value).toBeGreaterThan(100);
    expect(usage?.timestamp).toMatch(/^\d{19}$/);
  });

  describe('mirrors and credentials', () => {
    test.skipIf(skip !== null)(
      'the first mirror that can serve does, and is told whose image it is',
      async () => {
        const image = await buildImage({ layers: [file('mirror', 'ed')] });
        const asked: string[] = [];
        const down = await serve((_, response) => void response.writeHead(503).end());
        const empty = await serve((_, response) => void response.writeHead(404).end());
        const good = await serve((request, response) => {
          asked.push(request.url ?? '');
          answer(image, request, response);
        });
        const certsDir = withHosts(
          'never.invalid',
          [down, empty, good].map((host) => `[host."http://${host}"]`).join('\n'),
        );
        await using service = newService({ certsDir });
        const pulled = await pull('never.invalid/some/app:1', service);
        expect(pulled.repoTags).toEqual(['never.invalid/some/app:1']);
        expect(asked[0]).toBe('/v2/some/app/manifests/1?ns=never.invalid');
        removeScratch(certsDir);
      },
    );

    test.skipIf(skip !== null)('a failure lists every host with its answer', async () => {
      const down = await serve((_, response) => void response.writeHead(503).end());
      const closed = '127.0.0.1:1';
      const certsDir = withHosts('reg.invalid', `server = "http://${closed}"\n[host."http://${down}"]`);
      await using service = newService({ certsDir });
      await expect(pull('reg.invalid/app', service)).rejects.toMatchObject({
        code: 'unavailable',
        message: `RegistryUnavailable: resolve latest of reg.invalid/app: ${down}: answered 503; ${closed}: connect ECONNREFUSED 127.0.0.1:1`,
      });
      removeScratch(certsDir);
    });

    test.skipIf(skip !== null)(
      'a token server is asked with the credentials, a foreign host of a redirect never',
      async () => {
        const image = await buildImage({ layers: [file('secret', 'layer')] });
        const seen: Record<string, Set<string>> = { storage: new Set(), token: new Set() };
        const storage = await serve((request, response) => {
          seen['storage']?.add(request.headers.authorization ?? 'none');
          answer(image, request, response);
        });
        const token = await serve((request, response) => {
          seen['token']?.add(request.headers.authorization ?? 'none');
          expect(request.url).toBe('/token?service=reg&scope=repository%3Asafe%2Fapp%3Apull');
          response.end(JSON.stringify({ token: 'T' }));
        });
        const host = await serve((request, response) => {
          if (request.headers.authorization !== 'Bearer T') {
            const challenge = `Bearer realm="http://${token}/token",service="reg"`;
            return void response.writeHead(401, { 'www-authenticate': challenge }).end();
          }
          if (!request.url?.includes('/blobs/')) return answer(image, request, response);
          response.writeHead(307, { location: `http://${storage}${request.url}` }).end();
        });
        const auth = {
          username: 'u',
          password: 'p',
          auth: '',
          serverAddress: '',
          identityToken: '',
          registryToken: '',
        };
        const pulled = await images.pull(
          { reference: `${host}/safe/app`, auth, snapshotter: 'overlayfs' },
          signal,
        );
        expect(pulled.id).toBe(image.configDigest);
        expect([...(seen['token'] ?? [])]).toEqual([`Basic ${Buffer.from('u:p').toString('base64')}`]);
        expect([...(seen['storage'] ?? [])]).toEqual(['none']);
      },
    );

    test.skipIf(skip !== null)('a refusal is told as one, and a loop of them ends', async () => {
      let asked = 0;
      const host = await serve((request, response) => {
        asked++;
        if (request.url?.startsWith('/token')) return void response.end('{"access_token":"no good"}');
        const challenge = `Bearer realm="http://${request.headers.host}/token"`;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      });
      await expect(pull(`${host}/closed`)).rejects.toMatchObject({
        code: 'permission_denied',
        message: `resolve latest of ${host}/closed: ${host}: answered 401`,
      });
      expect(asked).toBeLessThan(8);
      const lost = await serve((_, response) => void response.writeHead(302, { location: '/again' }).end());
      await expect(pull(`${lost}/loop`)).rejects.toThrow('redirects');
    });

    test.skipIf(skip !== null)(
      'what is not there is not found; what cannot run here says what there is',
      async () => {
        await expect(pull(`${registry.host}/nothing:1`)).rejects.toMatchObject({ code: 'not_found' });
        const foreign = buildIndex([await buildImage({ architecture: 's390x', layers: [file('a', 'b')] })]);
        await pushImage(registry.url, 'foreign', '1', foreign);
        await expect(pull(`${registry.host}/foreign:1`)).rejects.toThrow(
          `no image for linux/${hostArchitecture}: it offers linux/s390x`,
        );
      },
    );
  });

  describe('archives', () => {
    test.skipIf(skip !== null)('an OCI layout, gzipped, with two names', async () => {
      const one = await busyboxImage({ layers: [busyboxLayer(), file('which', 'one')] });
      const path = join(dir, 'oci.tar.gz');
      await writeOciArchive(
        path,
        [
          { name: 'example.test/first:1', image: one },
          { name: 'two', image: buildIndex([await buildImage({ layers: [file('which', 'two')] })]) },
        ],
        { gzip: true },
      );
      const imported = await images.importArchive(streamFile(path));
      expect(imported.map(({ repoTags }) => repoTags)).toEqual([
        ['example.test/first:1'],
        ['docker.io/library/two:latest'],
      ]);
      expect(await runs('example.test/first:1', 'cat', '/which')).toBe('one');
      expect(await leftovers()).toEqual({ leases: [], extracts: [] });
    });

    test.skipIf(skip !== null)('what docker save writes', async () => {
      const path = join(dir, 'docker.tar');
      const image = await writeDockerArchive(path, ['saved:1', 'saved:2'], {
        layers: [busyboxLayer(), file('which', 'saved')],
        config: { Cmd: ['cat', '/which'] },
      });
      const [imported] = await images.importArchive(streamFile(path));
      expect(imported).toMatchObject({
        id: image.configDigest,
        repoTags: ['docker.io/library/saved:1', 'docker.io/library/saved:2'],
        config: { cmd: ['cat', '/which'] },
      });
      expect(await runs('docker.io/library/saved:2', '/bin/cat', '/which')).toBe('saved');
      expect(await leftovers()).toEqual({ leases: [], extracts: [] });
    });

    test.skipIf(skip !== null)('something else is refused', async () => {
      await expect(images.importArchive(streamFile(import.meta.filename))).rejects.toMatchObject({
        code: 'invalid_argument',
      });
      await expect(images.importArchive(streamFile(join(dir, 'absent.tar')))).rejects.toThrow('ENOENT');
      expect(await leftovers()).toEqual({ leases: [], extracts: [] });
    });
  });
});
