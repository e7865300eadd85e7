import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { generateCertificate } from './certificate.ts';
import type { StreamingServer } from './server.ts';
import {
  execUrl,
  OUT_ONLY,
  openSpdy,
  openStreams,
  openWebSocket,
  receive,
  request,
  spdyHeaders,
  startBench,
} from './testing/bench.ts';

let server: StreamingServer | null = null;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = null;
});

const V4 = 'v4.channel.k8s.io';

test('URLs are on loopback at a free port, each with its own token', async () => {
  server = await startBench({});
  const urls = [
    execUrl(server, OUT_ONLY),
    server.attachUrl({ containerId: 'c1', ...OUT_ONLY }),
    server.portForwardUrl({ sandboxId: 's1', ports: [] }),
  ];
  expect(urls[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{43}$/);
  expect(urls[1]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/attach\/[\w-]{43}$/);
  expect(urls[2]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/portforward\/[\w-]{43}$/);
});

test.each([
  ['::1', /^http:\/\/\[::1\]:\d+\//],
  ['0.0.0.0', /^http:\/\/127\.0\.0\.1:\d+\//],
  ['::', /^http:\/\/\[::1\]:\d+\//],
])('on %s the URL is one that works', async (address, pattern) => {
  server = await startBench({ exec: async () => 0 }, { address });
  const url = execUrl(server, OUT_ONLY);
  expect(url).toMatch(pattern);
  const ws = await openWebSocket(url, V4);
  expect(JSON.parse((await receive(ws)).channels[3] ?? '')).toMatchObject({ status: 'Success' });
});

test('an address that is taken is named', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as net.AddressInfo;
  await expect(startBench({}, { port })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(`port ${port} of 127.0.0.1: listen EADDRINUSE`),
  });
  other.close();
});

test('a token is good for one session', async () => {
  let calls = 0;
  const exec = async () => (calls += 1);
  server = await startBench({ exec });
  const url = execUrl(server, OUT_ONLY);
  await receive(await openWebSocket(url, V4));
  for (const headers of [spdyHeaders(V4), {}]) {
    expect(await request(url, headers)).toMatchObject({ answer: { status: 404 } });
  }
  expect(calls).toBe(1);
});

test('a token is good for its kind of session only', async () => {
  server = await startBench({});
  const url = execUrl(server, OUT_ONLY);
  const other = url.replace('/exec/', '/attach/');
  expect(await request(other, spdyHeaders(V4))).toMatchObject({ answer: { status: 404 } });
});

test.each(['/', '/exec/', `/exec/${'A'.repeat(43)}`, '/exec/..%2f', '/favicon.ico', '/exec/x/y'])(
  '%s is not found, whatever it asks for',
  async (path) => {
    server = await startBench({});
    const url = new URL(path, execUrl(server, OUT_ONLY)).href;
    for (const headers of [{}, spdyHeaders(V4), { Connection: 'Upgrade', Upgrade: 'websocket' }]) {
      expect(await request(url, headers, 'GET')).toMatchObject({ answer: { status: 404 } });
    }
  },
);

test('a refused protocol is answered with those that are served, and the token stays good', async () => {
  server = await startBench({ exec: async () => 0 });
  const url = execUrl(server, OUT_ONLY);
  expect(await request(url, {})).toMatchObject({ answer: { status: 400 } });
  expect(await request(url, { Connection: 'Upgrade', Upgrade: 'SPDY/3.1' })).toMatchObject({
    answer: { status: 400, body: 'the header X-Stream-Protocol-Version is required\n' },
  });
  expect(await request(url, spdyHeaders('v9.channel.k8s.io'))).toMatchObject({
    answer: {
      status: 403,
      headers: {
        'x-accepted-stream-protocol-versions':
          'v4.channel.k8s.io, v3.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io',
      },
    },
  });
  const ws = await openWebSocket(url, V4);
  expect(ws.protocol).toBe(V4);
  await receive(ws);
});

test('the SPDY upgrade tells the version that was chosen', async () => {
  server = await startBench({ exec: async () => 0 });
  const { client, protocol } = await openSpdy(
    execUrl(server, OUT_ONLY),
    'v5.channel.k8s.io, v3.channel.k8s.io',
  );
  expect(protocol).toBe('v3.channel.k8s.io');
  client.destroy();
});

test('a malformed WebSocket handshake is refused', async () => {
  server = await startBench({});
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };
  const result = await request(execUrl(server, OUT_ONLY), { ...headers, 'Sec-WebSocket-Key': 'x' }, 'GET');
  expect(result).toMatchObject({ answer: { status: 400 } });
});

test('stopping ends sessions with a reason, and waits for them', async () => {
  const steps: string[] = [];
  const bench = await startBench({
    exec: async (_wish, _streams, signal) => {
      await once(signal, 'abort');
      await new Promise((resolve) => setImmediate(resolve));
      steps.push('process gone');
      throw signal.reason;
    },
  });
  const ws = await openWebSocket(execUrl(bench, OUT_ONLY), V4);
  const received = receive(ws);
  await bench[Symbol.asyncDispose]();
  steps.push('server gone');
  expect(steps).toEqual(['process gone', 'server gone']);
  expect(JSON.parse((await received).channels[3] ?? '')).toMatchObject({
    status: 'Failure',
    message: 'Internal error occurred: cristal is stopping',
  });
});

test('stopping does not wait for a client that opens nothing, nor for one that says nothing', async () => {
  const bench = await startBench({});
  const url = execUrl(bench, OUT_ONLY);
  const { client } = await openSpdy(url, V4);
  const silent = net.connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  await once(silent, 'connect');
  const gone = once(silent, 'close');
  await bench[Symbol.asyncDispose]();
  await Promise.all([client.closed, gone]);
});

test('with a generated certificate sessions are encrypted', async () => {
  server = await startBench({ exec: async () => 7 }, { tls: 'generated' });
  const url = execUrl(server, OUT_ONLY);
  expect(url).toMatch(/^https:/);
  const ws = new WebSocket(url.replace('https', 'wss'), [V4], { rejectUnauthorized: false });
  ws.once('open', () => ws.pause());
  await once(ws, 'open');
  const { channels } = await receive(ws);
  expect(channels[3]).toContain('"7"');
});

test('with a client authority, only clients with a certificate are served', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cristal-tls-'));
  const ours = generateCertificate('127.0.0.1');
  const theirs = generateCertificate('127.0.0.1');
  const files = { cert: join(dir, 'cert'), key: join(dir, 'key'), ca: join(dir, 'ca') };
  writeFileSync(files.cert, ours.cert);
  writeFileSync(files.key, ours.key);
  writeFileSync(files.ca, theirs.cert);
  try {
    const config = {
      tls: 'files',
      tlsCertFile: files.cert,
      tlsKeyFile: files.key,
      clientCaFile: files.ca,
    } as const;
    server = await startBench({}, config);
    const url = execUrl(server, OUT_ONLY);
    const get = (options: https.RequestOptions) => {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
      https
        .get(url, { ca: ours.cert, agent: false, ...options }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on('error', reject);
      return promise;
    };
    expect(await get(theirs)).toBe(400);
    await expect(get({})).rejects.toThrow();
    await expect(get(ours)).rejects.toThrow();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a certificate file that is not there is named', async () => {
  const config = { tls: 'files', tlsCertFile: '/nowhere/cert.pem', tlsKeyFile: '/nowhere/key.pem' } as const;
  await expect(startBench({}, config)).rejects.toThrow('read /nowhere/cert.pem: no such file');
});

test('a client that waits for its streams until it has all may take its time', async () => {
  let began = false;
  const exec = async () => {
    began = true;
    return 0;
  };
  server = await startBench({ exec });
  const { client } = await openSpdy(execUrl(server, OUT_ONLY), V4);
  await openStreams(client, ['stdout', 'stderr']);
  await client.ping();
  expect(began).toBe(false);
  await openStreams(client, ['error']);
  await client.closed;
  expect(began).toBe(true);
});
