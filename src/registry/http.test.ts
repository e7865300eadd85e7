import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HttpRequest } from './http.ts';
import { createHttpClient, networkReason, readBody, redirected } from './http.ts';

const signal = AbortSignal.timeout(60_000);
const request = (url: string, headers: Record<string, string> = {}): HttpRequest => ({
  method: 'GET',
  url,
  headers,
  signal,
});

describe('redirected', () => {
  const headers = { authorization: 'Bearer T', 'x-secret': 's', Range: 'bytes=5-', accept: '*/*' };

  test.each([
    ['/other', 'https://reg.test/other', headers],
    ['https://reg.test:443/other', 'https://reg.test/other', headers],
    ['https://cdn.test/blob?sig=1', 'https://cdn.test/blob?sig=1', { Range: 'bytes=5-', accept: '*/*' }],
    ['https://reg.test:8443/x', 'https://reg.test:8443/x', { Range: 'bytes=5-', accept: '*/*' }],
    ['http://reg.test/x', 'http://reg.test/x', { Range: 'bytes=5-', accept: '*/*' }],
  ])('to %s', (location, url, kept) => {
    expect(redirected(request('https://reg.test/v2/a', headers), location)).toMatchObject({ url });
    expect(redirected(request('https://reg.test/v2/a', headers), location).headers).toEqual(kept);
  });

  test('what was sent with a body goes nowhere else', () => {
    const post: HttpRequest = { ...request('https://auth.test/token'), method: 'POST', body: 'secret' };
    expect(redirected(post, '/other')).toMatchObject({ url: 'https://auth.test/other', body: 'secret' });
    expect(() => redirected(post, 'https://evil.test/')).toThrow('redirect to evil.test');
  });

  test.each(['file:///etc/passwd', 'http://'])('never to %s', (location) => {
    expect(() => redirected(request('https://reg.test/'), location)).toThrow('redirect to');
  });
});

test.each([
  [new AggregateError([new Error('a'), new Error('b'), new Error('a')]), 'a, b'],
  [new Error('fetch failed', { cause: new Error('why') }), 'why'],
  [new Error('plain'), 'plain'],
])('reason of %o', (error, reason) => {
  expect(networkReason(error)).toBe(reason);
});

test('a proxy that never answers does not keep a request that was given up', async () => {
  const clients: { destroy(): void }[] = [];
  const proxy = createHttpServer().on('connect', (_request, client) => void clients.push(client));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  await using http = createHttpClient({ https_proxy: `127.0.0.1:${port}` });
  const stop = new AbortController();
  const asked = { ...request('https://reg.invalid/v2/'), signal: stop.signal };
  const sending = http.send(asked, { ca: [], client: [], skipVerify: false });
  await expect.poll(() => clients.length).toBe(1);
  stop.abort(new Error('enough'));
  await expect(sending).rejects.toThrow('enough');
  for (const client of clients) client.destroy();
  proxy.close();
});

test('plain HTTP is handed to its proxy', async () => {
  const asked: (string | undefined)[] = [];
  const proxy = createHttpServer((message, response) => {
    asked.push(message.url);
    response.end('from the proxy');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  await using http = createHttpClient({ http_proxy: `127.0.0.1:${port}`, no_proxy: 'direct.invalid' });
  const tls = { ca: [], client: [], skipVerify: false };
  const reply = await http.send(request('http://reg.invalid/v2/x?ns=y'), tls);
  expect((await readBody(reply, 100)).toString()).toBe('from the proxy');
  expect(asked).toEqual(['http://reg.invalid/v2/x?ns=y']);
  await expect(http.send(request('http://direct.invalid/'), tls)).rejects.toThrow('direct.invalid');
  proxy.closeAllConnections();
  proxy.close();
});

describe.skipIf(!hasOpenssl())('TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cristal-tls-'));
  const path = (name: string) => join(dir, name);
  let server: ReturnType<typeof createServer>;
  let url = '';

  beforeAll(async () => {
    for (const name of ['server', 'client']) makeCertificate(path(name), `/CN=${name}`);
    const files = { key: readFileSync(path('server.key')), cert: readFileSync(path('server.pem')) };
    const options = {
      ...files,
      ca: readFileSync(path('client.pem')),
      requestCert: true,
      rejectUnauthorized: false,
    };
    server = createServer(options, ({ socket }, response) => {
      response.end(String((socket as TLSSocket).authorized));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true });
  });

  const ask = async (tls: {
    ca?: string[];
    client?: { cert: string; key: string }[];
    skipVerify?: boolean;
  }) => {
    await using http = createHttpClient();
    const reply = await http.send(request(url), { ca: [], client: [], skipVerify: false, ...tls });
    return (await readBody(reply, 100)).toString();
  };

  test('an unknown certificate is refused', async () => {
    await expect(ask({})).rejects.toThrow('self-signed');
  });

  test('a CA file, skip_verify and a client certificate are used', async () => {
    expect(await ask({ ca: [path('server.pem')] })).toBe('false');
    expect(await ask({ skipVerify: true })).toBe('false');
    const client = [{ cert: path('client.pem'), key: path('client.key') }];
    expect(await ask({ ca: [path('server.pem')], client })).toBe('true');
  });

  test('of a directory every certificate file is an authority', async () => {
    const authorities = path('authorities');
    mkdirSync(authorities);
    writeFileSync(join(authorities, 'README'), 'no certificate');
    await expect(ask({ ca: [authorities] })).rejects.toThrow('self-signed');
    copyFileSync(path('server.pem'), join(authorities, 'a.crt'));
    expect(await ask({ ca: [authorities] })).toBe('false');
  });

  test('through a proxy TLS is end to end; its password is for the proxy alone', async () => {
    const tunnels: (string | undefined)[] = [];
    const proxy = createHttpServer().on('connect', ({ url: target, headers }, client) => {
      tunnels.push(target, headers['proxy-authorization']);
      const upstream = connect(Number(new URL(url).port), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    await using http = createHttpClient({ HTTPS_PROXY: `http://u:p@127.0.0.1:${port}` });
    const client = [{ cert: path('client.pem'), key: path('client.key') }];
    const reply = await http.send(request('https://reg.invalid:5000/'), { ca: [], client, skipVerify: true });
    expect((await readBody(reply, 100)).toString()).toBe('true');
    expect(tunnels).toEqual(['reg.invalid:5000', `Basic ${btoa('u:p')}`]);
    await expect(
      http.send(request('https://reg.invalid:5000/'), { ca: [], client: [], skipVerify: false }),
    ).rejects.toThrow('self-signed');
    proxy.closeAllConnections();
    proxy.close();
  });

  test('a file that is not there is named', async () => {
    await expect(ask({ ca: ['/absent.pem'] })).rejects.toThrow('/absent.pem');
  });

  test('a body over the limit is refused', async () => {
    await using http = createHttpClient();
    const reply = await http.send(request(url), { ca: [], client: [], skipVerify: true });
    await expect(readBody(reply, 3)).rejects.toMatchObject({ code: 'resource_exhausted' });
  });
});

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

function makeCertificate(base: string, subject: string): void {
  const what = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const how = ['-days', '2', '-subj', subject, '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...what, ...how, '-keyout', `${base}.key`, '-out', `${base}.pem`], {
    stdio: 'pipe',
  });
}
