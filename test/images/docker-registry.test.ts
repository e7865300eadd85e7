import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultConfig } from '../../src/config/schema.ts';
import { createContainerd } from '../../src/containerd/client.ts';
import type { Connection } from '../../src/containerd/connection.ts';
import { connect } from '../../src/containerd/connection.ts';
import type { ImageService } from '../../src/registry/service.ts';
import { createImageService } from '../../src/registry/service.ts';
import { createImageStore } from '../../src/store/images.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { BuiltImage } from '../fixtures/images.ts';
import { buildImage, pushImage } from '../fixtures/images.ts';
import { endProcess, eventually, spawnDaemon } from '../fixtures/processes.ts';
import { freePort, startRegistry } from '../fixtures/registry.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import { need, tools, whyNot } from '../fixtures/tools.ts';

const signal = AbortSignal.timeout(120_000);
const log = pino({ level: 'silent' });

/** User "u", password "p:w", as `htpasswd -B` writes it. */
const HTPASSWD = 'u:$2b$04$M7.CMvN5xixKSYsTwdaNS.n4t2jbpReLAHRbQIeAJObvsFX1Pt0Ae\n';

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

function auth(username: string, password: string) {
  return { username, password, auth: '', serverAddress: '', identityToken: '', registryToken: '' };
}

/** Debian's registry with TLS and a password file, over the data that another one was given. */
describe('docker-registry with TLS and htpasswd', () => {
  const skip =
    whyNot('2.3') ?? (tools.registry === null || !hasOpenssl() ? 'no docker-registry or openssl' : null);
  const ended = new AsyncDisposableStack();
  let ctd: PrivateContainerd;
  let connection: Connection;
  let image: BuiltImage;
  let dir: string;
  let host: string;
  let authority: string;

  const newService = (): ImageService => {
    const containerd = createContainerd(connection);
    return createImageService({
      containerd,
      store: createImageStore(containerd, log),
      config: { ...defaultConfig().images, certsDir: dir },
      snapshotter: 'overlayfs',
      log,
    });
  };
  const pull = async (credentials: ReturnType<typeof auth> | null) => {
    await using service = newService();
    const request = { reference: `${host}/secure/app:1`, auth: credentials, snapshotter: 'overlayfs' };
    return await service.pull(request, signal);
  };
  const isUp = async (): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const asked = httpsRequest(`https://${host}/v2/`, { rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 401);
    });
    asked.on('error', () => resolve(false)).end();
    return await promise;
  };

  beforeAll(async () => {
    if (skip !== null) return;
    dir = ended.adopt(scratchDir('secure'), removeScratch);
    ctd = ended.use(await startContainerd({ version: '2.3' }));
    connection = ended.use(connect({ address: ctd.address, namespace: 'k8s.io', log }));
    const plain = ended.use(await startRegistry());
    image = await buildImage({ layers: [{ files: [{ path: 'secure', data: 'yes' }] }] });
    await pushImage(plain.url, 'secure/app', '1', image);

    authority = join(dir, 'server.pem');
    const key = join(dir, 'server.key');
    const what = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const how = ['-days', '2', '-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', [...what, ...how, '-keyout', key, '-out', authority], { stdio: 'pipe' });
    const passwords = join(dir, 'htpasswd');
    writeFileSync(passwords, HTPASSWD);
    host = `127.0.0.1:${await freePort()}`;
    const configFile = join(dir, 'config.yml');
    const config = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(plain.certsDir, '..', 'data') } },
      http: { addr: host, tls: { certificate: authority, key } },
      auth: { htpasswd: { realm: 'test', path: passwords } },
    };
    writeFileSync(configFile, JSON.stringify(config));
    const program = need(tools.registry, 'docker-registry');
    const child = spawnDaemon([program, 'serve', configFile], { logFile: join(dir, 'registry.log') });
    ended.defer(async () => {
      if (child.pid !== undefined) await endProcess(child.pid);
    });
    expect(await eventually(isUp), readFileSync(join(dir, 'registry.log'), 'utf8')).toBe(true);
  });

  afterAll(() => ended.disposeAsync());

  test.skipIf(skip !== null)('is reached with the authority that certs.d names, and a password', async () => {
    const certs = join(dir, host);
    mkdirSync(certs);
    const hostsFile = join(certs, 'hosts.toml');
    writeFileSync(hostsFile, `server = "https://${host}"`);
    await expect(pull(auth('u', 'p:w'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('self-signed') as string,
    });

    writeFileSync(hostsFile, `server = "https://${host}"\nca = ${JSON.stringify(authority)}`);
    await expect(pull(null)).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(pull(auth('u', 'wrong'))).rejects.toMatchObject({ code: 'permission_denied' });
    expect((await pull(auth('u', 'p:w'))).id).toBe(image.configDigest);

    // The same as Docker has it: a .crt file, and no hosts.toml.
    rmSync(hostsFile);
    writeFileSync(join(certs, 'ca.crt'), readFileSync(authority));
    expect((await pull(auth('u', 'p:w'))).id).toBe(image.configDigest);
  });
});
