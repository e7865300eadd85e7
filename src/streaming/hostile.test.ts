import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StreamingServer } from './server.ts';
import { ALL_STREAMS, execUrl, OUT_ONLY, openWebSocket, receive, startBench } from './testing/bench.ts';

/** Each test does its worst; then a session must still work. */
let server: StreamingServer;
beforeEach(async () => {
  server = await startBench({
    exec: async (_wish, _streams, signal) => {
      if (!signal.aborted) await once(signal, 'abort');
      return 0;
    },
    attach: async () => {},
  });
});
afterEach(async () => {
  const url = server.attachUrl({ containerId: 'c1', ...OUT_ONLY });
  const { channels } = await receive(await openWebSocket(url, 'v5.channel.k8s.io'));
  expect(channels[3]).toContain('Success');
  await server[Symbol.asyncDispose]();
});

async function connect(): Promise<{ socket: net.Socket; path: string; answer: Promise<string> }> {
  const { hostname, port, pathname } = new URL(execUrl(server, ALL_STREAMS));
  const socket = net.connect({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => {});
  const answer = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  return { socket, path: pathname, answer };
}

const upgrade = (path: string, ...lines: string[]) =>
  [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', ...lines, '', ''].join('\r\n');

test('what is not HTTP is refused', async () => {
  for (let i = 0; i < 20; i += 1) {
    const { socket, answer } = await connect();
    socket.end(randomBytes(1_000));
    expect((await answer).replace(/^HTTP\/1\.1 400 /, '')).not.toContain('101');
  }
});

test('headers without end are refused', async () => {
  const { socket, answer } = await connect();
  socket.write('GET / HTTP/1.1\r\n');
  const line = `X-Waste: ${'w'.repeat(1_000)}\r\n`;
  for (let i = 0; i < 64; i += 1) socket.write(line);
  expect(await answer).toMatch(/^HTTP\/1\.1 431 /);
});

test.each([
  ['half an upgrade', (path: string) => upgrade(path, 'Upgrade: websocket').slice(0, -10)],
  ['no WebSocket key', (path: string) => upgrade(path, 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')],
  [
    'many protocols',
    (path: string) => upgrade(path, 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${'x,'.repeat(5_000)}`),
  ],
  ['two upgrades', (path: string) => upgrade(path, 'Upgrade: h2c, websocket', 'Upgrade: SPDY/3.1')],
])('%s harms nobody', async (_name, text) => {
  const { socket, path, answer } = await connect();
  socket.end(text(path));
  expect(await answer).not.toMatch(/^HTTP\/1\.1 101/);
});

test('random bytes after the SPDY upgrade end that connection', async () => {
  for (let i = 0; i < 20; i += 1) {
    const { socket, path, answer } = await connect();
    socket.write(upgrade(path, 'Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io'));
    socket.end(randomBytes(5_000));
    expect(await answer).toMatch(/^HTTP\/1\.1 101/);
  }
});

test('random bytes after the WebSocket upgrade end that connection', async () => {
  for (let i = 0; i < 20; i += 1) {
    const { socket, path, answer } = await connect();
    const key = randomBytes(16).toString('base64');
    socket.write(
      upgrade(
        path,
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${key}`,
        'Sec-WebSocket-Protocol: v5.channel.k8s.io',
      ),
    );
    socket.end(randomBytes(5_000));
    expect(await answer).toMatch(/^HTTP\/1\.1 101/);
  }
});

test('a message that is too long ends that connection before it is read', async () => {
  const ws = await openWebSocket(execUrl(server, ALL_STREAMS), 'v5.channel.k8s.io');
  const received = receive(ws);
  ws.send(Buffer.alloc(33 * 1024 * 1024), () => {});
  ws.on('error', () => {});
  expect([1009, 1006]).toContain((await received).code);
});

test('a client that leaves at any moment harms nobody', async () => {
  for (let i = 0; i < 30; i += 1) {
    const { socket, path, answer } = await connect();
    socket.write(upgrade(path, 'Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io'));
    if (i % 3 === 0) await once(socket, 'data');
    if (i % 2 === 0) socket.resetAndDestroy();
    else socket.destroy();
    await answer;
  }
});
