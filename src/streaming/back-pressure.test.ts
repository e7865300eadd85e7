import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import type { Sessions } from '../lib/streams.ts';
import type { StreamingServer } from './server.ts';
import {
  ALL_STREAMS,
  execUrl,
  OUT_ONLY,
  openSpdy,
  openStreams,
  openWebSocket,
  startBench,
} from './testing/bench.ts';

let server: StreamingServer | null = null;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = null;
});

const TOTAL = 256 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
/** Two socket buffers of the kernel at their largest, and ours. Nothing near the total. */
const BOUND = 24 * 1024 * 1024;

/** Writes the total as fast as it is taken. */
function source() {
  const progress = { written: 0 };
  const exec: Sessions['exec'] = async (_wish, { stdout }) => {
    if (!stdout) throw new Error('stdout is missing');
    while (progress.written < TOTAL) {
      progress.written += CHUNK.length;
      if (!stdout.write(CHUNK)) await once(stdout, 'drain');
    }
    return 9;
  };
  return { progress, exec };
}

/** Resolves once the number has stood still for a while. */
async function stalled(read: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const now = read();
    if (now > 0 && now === before) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

async function count(stream: Readable): Promise<number> {
  let length = 0;
  stream.on('data', (chunk: Buffer) => (length += chunk.length));
  await once(stream, 'end');
  return length;
}

test('SPDY: a client that does not read costs bounded memory, and then gets everything', async () => {
  const { progress, exec } = source();
  server = await startBench({ exec });
  const { client, socket } = await openSpdy(execUrl(server, OUT_ONLY), 'v4.channel.k8s.io');
  const streams = await openStreams(client, ['error', 'stdout', 'stderr']);
  socket.pause();
  expect(await stalled(() => progress.written)).toBeLessThan(BOUND);
  let status = '';
  streams.error.on('data', (chunk: Buffer) => (status += String(chunk)));
  socket.resume();
  expect(await count(streams.stdout)).toBe(TOTAL);
  await client.closed;
  expect(status).toContain('"9"');
});

test('WebSocket: a client that does not read costs bounded memory, and then gets everything', async () => {
  const { progress, exec } = source();
  server = await startBench({ exec });
  const ws = await openWebSocket(execUrl(server, OUT_ONLY), 'v5.channel.k8s.io');
  expect(await stalled(() => progress.written)).toBeLessThan(BOUND);
  let length = 0;
  let status = '';
  ws.on('message', (data: Buffer) => {
    if (data[0] === 1) length += data.length - 1;
    if (data[0] === 3) status += data.subarray(1).toString();
  });
  ws.resume();
  await once(ws, 'close');
  expect(length).toBe(TOTAL);
  expect(status).toContain('"9"');
});

test('port-forward: a client that does not read stops the pod', async () => {
  let written = 0;
  const pod = new Duplex({
    read() {
      written += CHUNK.length;
      this.push(written <= TOTAL ? CHUNK : null);
    },
    write: (_chunk, _encoding, done) => done(),
  });
  server = await startBench({ dial: async () => pod });
  const { client, socket } = await openSpdy(
    server.portForwardUrl({ sandboxId: 's', ports: [] }),
    'portforward.k8s.io',
  );
  const headers = { port: '80', requestid: '0' };
  await client.openStream({ ...headers, streamtype: 'error' });
  const { duplex } = await client.openStream({ ...headers, streamtype: 'data' });
  socket.pause();
  expect(await stalled(() => written)).toBeLessThan(BOUND);
  socket.resume();
  expect(await count(duplex)).toBe(TOTAL);
});

/** Lets stdin lie until the test says, then counts it. */
function sink() {
  const begin = Promise.withResolvers<void>();
  const read = { length: 0 };
  const exec: Sessions['exec'] = async (_wish, { stdin }) => {
    await begin.promise;
    for await (const chunk of stdin ?? []) {
      read.length += (chunk as Buffer).length;
      if (read.length >= TOTAL) break;
    }
    return 0;
  };
  return { begin, read, exec };
}

test('SPDY: a process that does not read its stdin stops the client', async () => {
  const { begin, read, exec } = sink();
  server = await startBench({ exec });
  const { client } = await openSpdy(execUrl(server, ALL_STREAMS), 'v4.channel.k8s.io');
  const { stdin } = await openStreams(client, ['error', 'stdin', 'stdout', 'stderr']);
  let sent = 0;
  const sending = (async () => {
    while (sent < TOTAL) {
      sent += CHUNK.length;
      if (!stdin.write(CHUNK)) await once(stdin, 'drain');
    }
  })();
  expect(await stalled(() => sent)).toBeLessThan(BOUND);
  begin.resolve();
  await sending;
  await client.closed;
  expect(read.length).toBe(TOTAL);
});

test('WebSocket: a process that does not read its stdin stops the client', async () => {
  const { begin, read, exec } = sink();
  server = await startBench({ exec });
  const ws = await openWebSocket(execUrl(server, ALL_STREAMS), 'v5.channel.k8s.io');
  ws.resume();
  let sent = 0;
  const message = Buffer.concat([Buffer.from([0]), CHUNK]);
  const sending = (async () => {
    while (sent < TOTAL) {
      sent += CHUNK.length;
      await new Promise((resolve) => ws.send(message, resolve));
    }
  })();
  expect(await stalled(() => sent)).toBeLessThan(BOUND);
  begin.resolve();
  await sending;
  await once(ws, 'close');
  expect(read.length).toBe(TOTAL);
});
