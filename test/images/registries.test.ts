import { mkdirSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImagesConfig } from '../../src/config/schema.ts';
import { defaultConfig } from '../../src/config/schema.ts';
import type { Containerd } from '../../src/containerd/client.ts';
import { createContainerd } from '../../src/containerd/client.ts';
import type { Connection } from '../../src/containerd/connection.ts';
import { connect } from '../../src/containerd/connection.ts';
import type { ImageService } from '../../src/registry/service.ts';
import { createImageService } from '../../src/registry/service.ts';
import { createImageStore } from '../../src/store/images.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { BuiltImage } from '../fixtures/images.ts';
import { buildImage, sha256 } from '../fixtures/images.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';

const signal = AbortSignal.timeout(300_000);
const lines: string[] = [];
const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
const PATTERN = Buffer.from('some bytes of a layer ');

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** An image of one layer that nobody has yet. */
async function imageOf(name: string, bytes = 1000): Promise<BuiltImage> {
  const data = Buffer.alloc(bytes, PATTERN);
  return await buildImage({ layers: [{ files: [{ path: name, data }], compression: 'none' }] });
}

function objectOf({ url = '' }: IncomingMessage): string {
  return new URL(url, 'http://x').pathname.split('/').at(-1) ?? '';
}

/** Serves an image from memory as a registry would. */
function answer(image: BuiltImage, request: IncomingMessage, response: ServerResponse): void {
  const object = objectOf(request);
  const digest = object.startsWith('sha256:') ? object : image.target.digest;
  const data = image.blobs.get(digest);
  if (data === undefined) return void response.writeHead(404).end();
  const isManifest = request.url?.includes('/manifests/');
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, {
    'content-type': isManifest ? image.target.mediaType : 'application/octet-stream',
    'docker-content-digest': digest,
    'content-length': data.length - start,
  });
  response.end(request.method === 'HEAD' ? undefined : data.subarray(start));
}

function authOf(username: string, password: string) {
  return { username, password, auth: '', serverAddress: '', identityToken: '', registryToken: '' };
}

function pull(service: ImageService, reference: string, auth: ReturnType<typeof authOf> | null = null) {
  return service.pull({ reference, auth, snapshotter: 'overlayfs' }, signal);
}

function basic(pair: string): string {
  return `Basic ${btoa(pair)}`;
}

describe.each(containerdVersions)('registries that misbehave, on containerd %s', (version) => {
  const skip = whyNot(version);
  const servers: Server[] = [];
  let ctd: PrivateContainerd;
  let connection: Connection;
  let containerd: Containerd;
  let dir: string;

  const newService = (settings: Partial<ImagesConfig> = {}): ImageService =>
    createImageService({
      containerd,
      store: createImageStore(containerd, log),
      config: { ...defaultConfig().images, certsDir: dir, ...settings },
      snapshotter: 'overlayfs',
      log,
    });

  const serve = async (handle: Handle): Promise<string> => {
    const server = createServer(handle);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  };

  /** A registry that wants a token, and its token server. */
  const guarded = async (image: BuiltImage) => {
    const seen: string[] = [];
    const host = await serve((request, response) => {
      if (request.url?.startsWith('/token')) {
        seen.push(request.headers.authorization ?? 'none');
        return void response.end('{"token":"SecretToken","expires_in":300}');
      }
      if (request.headers.authorization === 'Bearer SecretToken') return answer(image, request, response);
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="s"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    });
    return { host, seen };
  };

  /** Says which hosts serve a registry, best first. */
  const setMirrors = (registry: string, hosts: string[]): void => {
    mkdirSync(join(dir, registry), { recursive: true });
    const [server, ...mirrors] = hosts.toReversed();
    const tables = mirrors.toReversed().map((host) => `[host."http://${host}"]`);
    const text = [`server = "http://${server}"`, ...tables].join('\n');
    writeFileSync(join(dir, registry, 'hosts.toml'), text);
  };

  beforeAll(async () => {
    if (skip !== null) return;
    dir = scratchDir('certs');
    ctd = await startContainerd({ version });
    connection = connect({ address: ctd.address, namespace: 'k8s.io', log });
    containerd = createContainerd(connection);
  });

  afterAll(async () => {
    if (skip !== null) return;
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    connection[Symbol.dispose]();
    await ctd.stop();
    removeScratch(dir);
  });

  describe.skipIf(skip !== null)('trouble', () => {
    test.each([
      ['429 with Retry-After', 429, { 'retry-after': '1' }],
      ['503', 503, {}],
    ])('%s passes', async (name, status, headers) => {
      const image = await imageOf(`passes ${name}`);
      const asked = new Map<string, number>();
      const host = await serve((request, response) => {
        const key = `${request.method} ${request.url}`;
        asked.set(key, (asked.get(key) ?? 0) + 1);
        if (asked.get(key) === 1) return void response.writeHead(status, headers).end();
        answer(image, request, response);
      });
      await using service = newService();
      expect((await pull(service, `${host}/busy`)).id).toBe(image.configDigest);
      expect(asked.get(`GET /v2/busy/blobs/${image.diffIds[0]}`)).toBe(2);
    });

    test('a registry that stays busy is told as unavailable after a few tries', async () => {
      let asked = 0;
      const host = await serve((_, response) => {
        asked++;
        response.writeHead(429, { 'retry-after': '0' }).end();
      });
      await using service = newService();
      await expect(pull(service, `${host}/busy`)).rejects.toMatchObject({
        code: 'unavailable',
        message: `RegistryUnavailable: resolve latest of ${host}/busy: ${host}: answered 429`,
      });
      expect(asked).toBe(4);
    });

    test('a mirror that breaks for good is left for the next, which goes on where it stopped', async () => {
      const image = await imageOf('broken', 3_000_000);
      const [layer = ''] = image.diffIds;
      const ranges: (string | undefined)[] = [];
      let broke = 0;
      const broken = await serve((request, response) => {
        if (objectOf(request) !== layer) return answer(image, request, response);
        const data = image.blobs.get(layer) ?? Buffer.alloc(0);
        const start = broke++ === 0 ? 0 : 2_000_000;
        response.writeHead(start > 0 ? 206 : 200, { 'content-length': data.length - start });
        response.write(data.subarray(start, 2_000_000), () => setTimeout(() => response.destroy(), 100));
        response.flushHeaders();
      });
      const good = await serve((request, response) => {
        if (objectOf(request) === layer) ranges.push(request.headers.range);
        answer(image, request, response);
      });
      setMirrors('broken.invalid', [broken, good]);
      await using service = newService();
      expect((await pull(service, 'broken.invalid/app')).id).toBe(image.configDigest);
      expect(broke).toBe(4);
      expect(ranges).toHaveLength(1);
      expect(Number(ranges[0]?.match(/\d+/)?.[0])).toBeGreaterThan(1_000_000);
    });

    test('wrong bytes of one mirror are fetched anew from the next', async () => {
      const image = await imageOf('lying');
      const [layer = ''] = image.diffIds;
      const liar = await serve((request, response) => {
        if (objectOf(request) !== layer) return answer(image, request, response);
        const { length } = image.blobs.get(layer) ?? Buffer.alloc(0);
        response.writeHead(200, { 'content-length': length }).end(Buffer.alloc(length, 'z'));
      });
      const honest = await serve((request, response) => answer(image, request, response));
      setMirrors('lying.invalid', [liar, honest]);
      await using service = newService();
      expect((await pull(service, 'lying.invalid/app')).id).toBe(image.configDigest);
    });

    test.each([
      ['too few', 'unavailable', (data: Buffer) => data.subarray(0, 900), 'ended too early'],
      ['too many', 'data_loss', (data: Buffer) => Buffer.concat([data, data]), 'sent more than its'],
    ])('%s bytes with a length to match never become an image', async (name, code, change, words) => {
      const image = await imageOf(`length ${name}`);
      const [layer = ''] = image.diffIds;
      let asked = 0;
      const host = await serve((request, response) => {
        if (objectOf(request) !== layer) return answer(image, request, response);
        asked++;
        const data = change(image.blobs.get(layer) ?? Buffer.alloc(0));
        // What is asked for again from its end on is not there.
        const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        const rest = data.subarray(start);
        response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length }).end(rest);
      });
      await using service = newService();
      await expect(pull(service, `${host}/length`)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(words) as string,
      });
      expect(asked).toBeLessThan(6);
      expect(await containerd.leases.list()).toEqual([]);
    });

    test('a server that goes on elsewhere than asked is left for the next', async () => {
      const image = await imageOf('elsewhere', 3_000_000);
      const [layer = ''] = image.diffIds;
      const data = image.blobs.get(layer) ?? Buffer.alloc(0);
      const odd = await serve((request, response) => {
        if (objectOf(request) !== layer) return answer(image, request, response);
        if (request.headers.range === undefined) {
          response.writeHead(200, { 'content-length': data.length });
          return void response.write(data.subarray(0, 2_000_000), () =>
            setTimeout(() => response.destroy(), 100),
          );
        }
        const headers = { 'content-range': `bytes 2999999-${data.length - 1}/${data.length}` };
        response.writeHead(206, headers).end(data.subarray(2_999_999));
      });
      const good = await serve((request, response) => answer(image, request, response));
      setMirrors('elsewhere.invalid', [odd, good]);
      await using service = newService();
      expect((await pull(service, 'elsewhere.invalid/app')).id).toBe(image.configDigest);
    });

    test('a manifest with other bytes than its digest says is not taken', async () => {
      const image = await imageOf('forged manifest');
      const data = Buffer.concat([image.blobs.get(image.target.digest) ?? Buffer.alloc(0), Buffer.from(' ')]);
      const forged = { 'content-type': image.target.mediaType };
      const liar = await serve((request, response) => {
        const object = objectOf(request);
        if (object === 'latest') {
          const told = { ...forged, 'docker-content-digest': image.target.digest };
          return void response.writeHead(200, told).end(data);
        }
        if (object !== image.target.digest) return answer(image, request, response);
        response.writeHead(200, forged).end(data);
      });
      await using service = newService();
      const digest = `${liar}/forged@${image.target.digest}`;
      await expect(pull(service, `${liar}/forged`)).rejects.toThrow('sent other bytes than asked for');
      await expect(pull(service, digest)).rejects.toThrow(/answered sha256:\w+ when asked for sha256:/);
      const honest = await serve((request, response) => answer(image, request, response));
      setMirrors('forged.invalid', [liar, honest]);
      expect((await pull(service, 'forged.invalid/app')).id).toBe(image.configDigest);
    });

    test('a new name costs one download of its manifest, a known one that did not move a look', async () => {
      const [old, moved] = [await imageOf('asked for once'), await imageOf('asked for later')];
      let current = old;
      const asked: string[] = [];
      const host = await serve((request, response) => {
        if (request.url?.includes('/manifests/')) asked.push(`${request.method} ${objectOf(request)}`);
        answer(current, request, response);
      });
      await using service = newService();
      const take = async (reference: string) => {
        const { id } = await pull(service, reference);
        return { id, asked: asked.splice(0) };
      };
      const whole = `${host}/counted@${old.target.digest}`;
      expect(await take(`${host}/counted`)).toEqual({ id: old.configDigest, asked: ['GET latest'] });
      expect(await take(`${host}/counted`)).toEqual({ id: old.configDigest, asked: ['HEAD latest'] });
      expect(await take(whole)).toEqual({ id: old.configDigest, asked: [`HEAD ${old.target.digest}`] });
      current = moved;
      const both = ['HEAD latest', `GET ${moved.target.digest}`];
      expect(await take(`${host}/counted`)).toEqual({ id: moved.configDigest, asked: both });
    });

    test('endless redirects of a layer end, and so do those of a mirror before the next', async () => {
      const image = await imageOf('redirects');
      let hops = 0;
      const lost = await serve((request, response) => {
        if (objectOf(request) !== image.diffIds[0]) return answer(image, request, response);
        hops++;
        response.writeHead(307, { location: `http://${request.headers.host}${request.url}` }).end();
      });
      await using service = newService();
      await expect(pull(service, `${lost}/lost`)).rejects.toThrow('over 10 redirects');
      expect(hops).toBeLessThan(50);
      const good = await serve((request, response) => answer(image, request, response));
      setMirrors('lost.invalid', [lost, good]);
      lines.splice(0);
      expect((await pull(service, 'lost.invalid/app')).id).toBe(image.configDigest);
      const left = lines.filter((line) => line.includes('registry host left for the next one'));
      expect(left).toHaveLength(1);
      expect(left[0]).toContain('over 10 redirects');
    });

    test('a registry on an IPv6 host is one like any other', async () => {
      const image = await imageOf('six');
      const server = createServer((request, response) => answer(image, request, response));
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
      const host = `[::1]:${(server.address() as AddressInfo).port}`;
      await using service = newService();
      const pulled = await pull(service, `${host}/six:1@${image.target.digest}`);
      expect(pulled.repoDigests).toEqual([`${host}/six@${image.target.digest}`]);
      // Its directory is named as that of any host.
      setMirrors(host, ['127.0.0.1:1']);
      await expect(pull(service, `${host}/six:2`)).rejects.toThrow('127.0.0.1:1: connect ECONNREFUSED');
    });

    test('a download below the minimum rate ends, though something comes', async () => {
      const image = await imageOf('drip', 1_000_000);
      const timers: NodeJS.Timeout[] = [];
      const host = await serve((request, response) => {
        if (objectOf(request) !== image.diffIds[0]) return answer(image, request, response);
        response.writeHead(200, { 'content-length': image.blobs.get(objectOf(request))?.length });
        // More than a piece, so that progress is seen between the silences.
        timers.push(setInterval(() => response.write(Buffer.alloc(300_000, PATTERN)), 200));
        setTimeout(() => clearInterval(timers.at(-1)), 700);
      });
      await using service = newService({ stallTimeoutMs: 400, minRate: 100_000_000 });
      await expect(pull(service, `${host}/drip`)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(
          /^RegistryUnavailable: pull of .*under 100000000 bytes a second/,
        ) as string,
      });
      for (const timer of timers) clearInterval(timer);
    });
  });

  describe.skipIf(skip !== null)('credentials', () => {
    test('a token serves later pulls with the same credentials, and no others', async () => {
      const { host, seen } = await guarded(await imageOf('cached'));
      await using service = newService();
      await pull(service, `${host}/app:1`);
      await pull(service, `${host}/app:2`);
      expect(seen).toEqual(['none']);
      await pull(service, `${host}/app:2`, authOf('u', 'SecretWord'));
      await pull(service, `${host}/app:3`, authOf('u', 'SecretWord'));
      expect(seen).toEqual(['none', basic('u:SecretWord')]);
      await pull(service, `${host}/other:1`);
      expect(seen).toHaveLength(3);
    });

    test('a mirror that asks is not shown those of the registry, unless that is set', async () => {
      const image = await imageOf('mirrored');
      const asked: Record<string, string[]> = { mirror: [], named: [], registry: [] };
      const hostOf = async (name: string) =>
        await serve((request, response) => {
          const { authorization } = request.headers;
          asked[name]?.push(authorization ?? 'none');
          if (authorization !== undefined) return answer(image, request, response);
          response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
        });
      const [mirror, named, registry] = [
        await hostOf('mirror'),
        await hostOf('named'),
        await hostOf('registry'),
      ];
      mkdirSync(join(dir, registry));
      const tables = [mirror, named].map((host) => `[host."http://${host}"]`);
      writeFileSync(
        join(dir, registry, 'hosts.toml'),
        [`server = "http://${registry}"`, ...tables].join('\n'),
      );
      const secret = basic('u:SecretWord');

      await using service = newService();
      await pull(service, `${registry}/app:1`, authOf('u', 'SecretWord'));
      expect(asked['mirror']).not.toContain(secret);
      expect(asked['named']).not.toContain(secret);
      expect(asked['registry']).toContain(secret);

      // One that the credentials name is the one that they are for.
      await pull(service, `${registry}/app:2`, { ...authOf('u', 'SecretWord'), serverAddress: named });
      expect(asked['mirror']).not.toContain(secret);
      expect(asked['named']).toContain(secret);

      await using open = newService({ mirrorCredentials: true });
      await pull(open, `${registry}/app:3`, authOf('u', 'SecretWord'));
      expect(asked['mirror']).toContain(secret);
    });

    test('the node’s own serve pulls that bring none; none of them is ever logged', async () => {
      const { host, seen } = await guarded(await imageOf('node'));
      const authFile = join(dir, 'auth.json');
      await using service = newService({ authFile });
      await pull(service, `${host}/without:1`);
      writeFileSync(authFile, JSON.stringify({ auths: { [host]: { auth: btoa('node:SecretNode') } } }));
      await pull(service, `${host}/with:1`);
      await pull(service, `${host}/own:1`, authOf('u', 'SecretWord'));
      expect(seen).toEqual(['none', basic('node:SecretNode'), basic('u:SecretWord')]);

      writeFileSync(authFile, JSON.stringify({ auths: {}, credHelpers: { [host]: 'ecr' } }));
      await expect(pull(service, `${host}/helped:1`)).rejects.toThrow('credHelpers');
      writeFileSync(authFile, `{"auths": {"${host}": SecretNode`);
      await expect(pull(service, `${host}/bad:1`)).rejects.not.toThrow('SecretNode');
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.filter((line) => /Secret/.test(line) || line.includes(btoa('node:SecretNode')))).toEqual(
        [],
      );
    });
  });

  describe.skipIf(skip !== null)('pulls', () => {
    test('hosts.toml is read at each pull', async () => {
      const first = await imageOf('first');
      const second = await imageOf('second');
      const hosts = [
        await serve((request, response) => answer(first, request, response)),
        await serve((request, response) => answer(second, request, response)),
      ];
      await using service = newService();
      setMirrors('moved.invalid', hosts.slice(0, 1));
      expect((await pull(service, 'moved.invalid/app')).id).toBe(first.configDigest);
      setMirrors('moved.invalid', hosts.slice(1));
      expect((await pull(service, 'moved.invalid/app')).id).toBe(second.configDigest);
    });

    test('the node’s limit holds over all pulls', async () => {
      let running = 0;
      let most = 0;
      const images = await Promise.all(['a', 'b', 'c'].map((name) => imageOf(`limit ${name}`)));
      const hosts = images.map((image) =>
        serve((request, response) => {
          if (!request.url?.includes('/blobs/')) return answer(image, request, response);
          most = Math.max(most, ++running);
          setTimeout(() => {
            running--;
            answer(image, request, response);
          }, 50);
        }),
      );
      await using service = newService({ maxDownloads: 2 });
      await Promise.all(hosts.map(async (host) => await pull(service, `${await host}/app`)));
      expect(most).toBe(2);
    });

    test('a layer that its registry may not distribute comes from its own URL', async () => {
      const image = await imageOf('foreign');
      const [layer = ''] = image.diffIds;
      const asked: IncomingMessage[] = [];
      const elsewhere = await serve((request, response) => {
        asked.push(request);
        answer(image, request, response);
      });
      const manifest = JSON.parse(image.blobs.get(image.target.digest)?.toString() ?? '') as {
        layers: object[];
      };
      const layers = manifest.layers.map((one) => ({
        ...one,
        mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
        urls: ['ftp://nobody.invalid/x', `http://${elsewhere}/${layer}`],
      }));
      const data = Buffer.from(JSON.stringify({ ...manifest, layers }));
      const foreign = { ...image, target: { ...image.target, digest: sha256(data), size: data.length } };
      foreign.blobs.set(foreign.target.digest, data);
      const host = await serve((request, response) => {
        if (objectOf(request) === layer) return void response.writeHead(404).end();
        answer(foreign, request, response);
      });
      await using service = newService();
      expect((await pull(service, `${host}/foreign`, authOf('u', 'p'))).id).toBe(image.configDigest);
      expect(asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    });

    test.each([
      [
        { schemaVersion: 1, fsLayers: [] },
        'application/vnd.docker.distribution.manifest.v1+prettyjws',
        'schema 1 images are not supported',
      ],
      [
        {
          schemaVersion: 2,
          artifactType: 'application/x.test',
          config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256('{}'), size: 2 },
          layers: [{ mediaType: 'text/plain', digest: sha256('a'), size: 1 }],
        },
        'application/vnd.oci.image.manifest.v1+json',
        'not a container image',
      ],
      [{ schemaVersion: 2, manifests: [] }, 'application/vnd.oci.image.index.v1+json', 'it offers nothing'],
    ])('what is no image is refused in words: %j', async (manifest, mediaType, words) => {
      const data = Buffer.from(JSON.stringify(manifest));
      const target = { mediaType, digest: sha256(data), size: data.length };
      const image = { target, blobs: new Map([[target.digest, data]]), configDigest: '', diffIds: [] };
      const host = await serve((request, response) => answer(image, request, response));
      await using service = newService();
      await expect(pull(service, `${host}/what`)).rejects.toThrow(words);
      await expect(pull(service, `${host}/what`)).rejects.toMatchObject({ code: 'failed_precondition' });
    });
  });
});
