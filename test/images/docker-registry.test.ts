import { execFileSync } from 'node:child_process';
import { sign, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
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

/** Makes a certificate for the loopback, and its key, as DIR/NAME.pem and DIR/NAME.key. */
function makeCertificate(dir: string, name: string): { certificate: string; key: string } {
  const certificate = join(dir, `${name}.pem`);
  const key = join(dir, `${name}.key`);
  const what = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const how = ['-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...what, ...how, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
  return { certificate, key };
}

/** Starts Debian's registry with this configuration; `ended` ends it. */
function startDocker(
  { dir, name, config }: { dir: string; name: string; config: object },
  ended: AsyncDisposableStack,
): void {
  const file = join(dir, `${name}.yml`);
  // JSON is YAML, which is what the registry reads.
  writeFileSync(file, JSON.stringify({ version: 0.1, ...config }));
  const program = need(tools.registry, 'docker-registry');
  const child = spawnDaemon([program, 'serve', file], { logFile: join(dir, `${name}.log`) });
  ended.defer(async () => {
    if (child.pid !== undefined) await endProcess(child.pid);
  });
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A token of Docker's specification, which a registry takes whose rootcertbundle has the certificate. */
function signToken({ certificate, key }: { certificate: string; key: string }, scope: string): string {
  const x5c = [new X509Certificate(readFileSync(certificate)).raw.toString('base64')];
  const [type = '', name = '', actions = ''] = scope.split(':');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'test',
    sub: 'u',
    aud: 'docker-registry',
    exp: now + 300,
    nbf: now - 10,
    iat: now,
    jti: String(Math.random()),
    access: [{ type, name, actions: actions.split(',') }],
  };
  const text = `${encode({ typ: 'JWT', alg: 'ES256', x5c })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(text), {
    key: readFileSync(key),
    dsaEncoding: 'ieee-p1363',
  });
  return `${text}.${signature.toString('base64url')}`;
}

/** Debian's registry with TLS and a password file, over the data that another one was given. */
describe('docker-registry with TLS, htpasswd and a token server', () => {
  const skip =
    whyNot('2.3') ?? (tools.registry === null || !hasOpenssl() ? 'no docker-registry or openssl' : null);
  const ended = new AsyncDisposableStack();
  let ctd: PrivateContainerd;
  let connection: Connection;
  let image: BuiltImage;
  let dir: string;
  let host: string;
  let authority: string;
  let data: object;

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
  const pull = async (credentials: ReturnType<typeof auth> | null, from = host) => {
    await using service = newService();
    const request = { reference: `${from}/secure/app:1`, auth: credentials, snapshotter: 'overlayfs' };
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

    const server = makeCertificate(dir, 'server');
    authority = server.certificate;
    const passwords = join(dir, 'htpasswd');
    writeFileSync(passwords, HTPASSWD);
    host = `127.0.0.1:${await freePort()}`;
    data = { filesystem: { rootdirectory: join(plain.certsDir, '..', 'data') } };
    const config = {
      storage: data,
      http: { addr: host, tls: server },
      auth: { htpasswd: { realm: 'test', path: passwords } },
    };
    startDocker({ dir, name: 'registry', config }, ended);
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

  test.skipIf(skip !== null)(
    'a token server of its own is believed, and asked for what is needed',
    async () => {
      const signer = makeCertificate(dir, 'signer');
      const asked: (string | null)[] = [];
      const tokens = createServer((request, response) => {
        const { searchParams } = new URL(request.url ?? '', 'http://tokens');
        asked.push(searchParams.get('service'), searchParams.get('scope'));
        if (request.headers.authorization !== `Basic ${btoa('u:p:w')}`)
          return void response.writeHead(401).end();
        response.end(JSON.stringify({ token: signToken(signer, searchParams.get('scope') ?? '') }));
      });
      await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
      ended.defer(() => {
        tokens.closeAllConnections();
        tokens.close();
      });
      const guarded = `127.0.0.1:${await freePort()}`;
      const realm = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`;
      const token = { realm, service: 'docker-registry', issuer: 'test', rootcertbundle: signer.certificate };
      const config = { storage: data, http: { addr: guarded }, auth: { token } };
      startDocker({ dir, name: 'guarded', config }, ended);
      const isGuarded = async () => {
        try {
          return (await fetch(`http://${guarded}/v2/`)).status === 401;
        } catch {
          return false; // not listening yet
        }
      };
      expect(await eventually(isGuarded), readFileSync(join(dir, 'guarded.log'), 'utf8')).toBe(true);

      expect((await pull(auth('u', 'p:w'), guarded)).id).toBe(image.configDigest);
      expect(asked).toEqual(['docker-registry', 'repository:secure/app:pull']);
      await expect(pull(auth('u', 'wrong'), guarded)).rejects.toMatchObject({
        code: 'permission_denied',
        message: expect.stringContaining('the token server answered 401') as string,
      });
    },
  );
});
