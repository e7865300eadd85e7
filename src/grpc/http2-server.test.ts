import type { ClientHttp2Session } from 'node:http2';
import { connect as connectNode } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { connect as connectSocket, createServer } from 'node:net';
import { expect, it, test } from 'vitest';
import { scratchSocket } from '../host/testing/scratch-socket.ts';
import { FRAME, frameHeader, PREFACE, settingsFrame } from './frames.ts';
import { encodeHeaders } from './hpack.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Stream } from './http2-stream.ts';
import { Gathered } from './testing/gathered.ts';

/* The server's side, against Node's own HTTP/2 and against bytes that no implementation would send. */

const MIB = 1024 * 1024;

const scratch = scratchSocket();

function listening(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(scratch.address, resolve);
  return promise;
}

async function listeningTo(
  serve: (stream: Stream, gathered: Gathered) => void,
): Promise<Set<Http2Connection>> {
  const connections = new Set<Http2Connection>();
  const server = createServer((socket) => {
    const connection = new Http2Connection('server', socket, {
      onStream(stream) {
        const gathered = new Gathered();
        gathered.stream = stream;
        serve(stream, gathered);
        return gathered;
      },
      onClose: () => connections.delete(connection),
    });
    connections.add(connection);
    socket.on('data', (chunk: Buffer) => connection.receive(chunk));
  });
  await listening(server);
  scratch.stack.defer(() => {
    server.close();
    for (const connection of connections) connection.destroy(new Error('the test is over'));
  });
  return connections;
}

function node(settings = {}): ClientHttp2Session {
  const session = connectNode('http://x', {
    createConnection: () => connectSocket(scratch.address),
    settings,
  });
  session.on('error', () => {});
  scratch.stack.defer(() => session.destroy());
  return session;
}

function raw(): { socket: Socket; closed: Promise<unknown>; heard: Buffer[] } {
  const socket = connectSocket(scratch.address);
  const heard: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => void heard.push(chunk));
  const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
  scratch.stack.defer(() => void socket.destroy());
  return { socket, closed, heard };
}

it.each([4_096, 0])(
  'serves Node with %s bytes for a table of headers: long ones, 8 MiB back, trailers',
  async (headerTableSize) => {
    await listeningTo((stream) => {
      stream.sendHeaders(
        encodeHeaders([
          [':status', '200'],
          ['long', 'x'.repeat(40_000)],
        ]),
      );
      stream.send([Buffer.alloc(8 * MIB, 'back')]);
      stream.end(encodeHeaders([['after', 'all']]));
    });
    const stream = node({ headerTableSize }).request({
      ':path': '/',
      ':method': 'POST',
      padding: 'y'.repeat(20_000),
    });
    const seen: Record<string, unknown>[] = [];
    stream.on('response', (headers) => seen.push(headers)).on('trailers', (headers) => seen.push(headers));
    stream.end();
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
    expect(bytes).toBe(8 * MIB);
    expect(seen).toMatchObject([{ long: 'x'.repeat(40_000) }, { after: 'all' }]);
  },
);

test('draining finishes what runs, refuses what is new, then closes', async () => {
  const running: Stream[] = [];
  const connections = await listeningTo((stream) => void running.push(stream));
  const session = node();
  const stream = session.request({ ':path': '/', ':method': 'POST' });
  stream.on('error', () => {});
  stream.end();
  await expect.poll(() => running.length).toBe(1);
  for (const connection of connections) connection.drain();
  await expect.poll(() => session.closed).toBe(true);
  running[0]?.sendHeaders(encodeHeaders([[':status', '200']]), true);
  await expect.poll(() => connections.size).toBe(0);
});

it.each<[string, Buffer[]]>([
  ['HTTP/1.1', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')]],
  ['a frame that is too long', [PREFACE, frameHeader(FRAME.data, 0, 1, 100_000)]],
  ['data for a stream that never was', [PREFACE, frameHeader(FRAME.data, 0, 7, 0)]],
  ['headers on stream 0', [PREFACE, frameHeader(FRAME.headers, 4, 0, 1), Buffer.of(0x82)]],
  ['headers on an even stream', [PREFACE, frameHeader(FRAME.headers, 4, 2, 1), Buffer.of(0x82)]],
  ['a header that nobody has set', [PREFACE, frameHeader(FRAME.headers, 4, 1, 2), Buffer.of(0xff, 1)]],
  ['more padding than payload', [PREFACE, frameHeader(FRAME.headers, 0xc, 1, 1), Buffer.of(9)]],
  [
    'data within headers',
    [PREFACE, frameHeader(FRAME.headers, 0, 1, 1), Buffer.of(0x82), frameHeader(FRAME.data, 0, 1, 0)],
  ],
  ['a continuation of nothing', [PREFACE, frameHeader(FRAME.continuation, 4, 1, 0)]],
  [
    'headers without end',
    [
      PREFACE,
      frameHeader(FRAME.headers, 0, 1, 1),
      Buffer.of(0x82),
      ...Array.from({ length: 9 }, () => [
        frameHeader(FRAME.continuation, 0, 1, 16_000),
        Buffer.alloc(16_000),
      ]).flat(),
    ],
  ],
  ['a short ping', [PREFACE, frameHeader(FRAME.ping, 0, 0, 1), Buffer.of(1)]],
  ['a short reset', [PREFACE, frameHeader(FRAME.resetStream, 0, 1, 1), Buffer.of(1)]],
  [
    'a window that is too large',
    [PREFACE, frameHeader(FRAME.windowUpdate, 0, 0, 4), Buffer.of(0x7f, 0xff, 0xff, 0xff)],
  ],
  ['a setting that is too large', [PREFACE, settingsFrame([[4, 2 ** 32 - 1]])]],
  ['half a setting', [PREFACE, frameHeader(FRAME.settings, 0, 0, 3), Buffer.alloc(3)]],
  ['a push', [PREFACE, frameHeader(FRAME.pushPromise, 4, 1, 5), Buffer.alloc(5)]],
])('%s costs the connection, which is told, and nothing else', async (_name, parts) => {
  await listeningTo((stream) => stream.sendHeaders(encodeHeaders([[':status', '200']]), true));
  const { socket, closed, heard } = raw();
  socket.write(Buffer.concat(parts));
  await closed;
  expect(Buffer.concat(heard).includes(frameHeader(FRAME.goAway, 0, 0, 0).subarray(3))).toBe(true);
  const stream = node().request({ ':path': '/' });
  expect(
    await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status']))),
  ).toBe(200);
});

test('frames of types that nobody knows are read over', async () => {
  await listeningTo((stream) => stream.sendHeaders(encodeHeaders([[':status', '200']]), true));
  const { socket, heard } = raw();
  socket.write(
    Buffer.concat([
      PREFACE,
      frameHeader(99, 0xff, 5, 3),
      Buffer.alloc(3),
      frameHeader(2, 0, 9, 5),
      Buffer.alloc(5),
    ]),
  );
  socket.write(Buffer.concat([frameHeader(FRAME.headers, 5, 1, 1), Buffer.of(0x83)]));
  await expect.poll(() => Buffer.concat(heard).includes(frameHeader(FRAME.headers, 5, 1, 1))).toBe(true);
});

test('noise never gets out of its connection', async () => {
  await listeningTo((stream) => stream.sendHeaders(encodeHeaders([[':status', '200']]), true));
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 300; round += 1) {
    const parts: Buffer[] = [PREFACE];
    for (let n = random(12); n >= 0; n -= 1) {
      const payload = Buffer.from(Array.from({ length: random(40) }, () => random(256)));
      parts.push(frameHeader(random(11), random(256), random(6), payload.length), payload);
    }
    const { socket, closed } = raw();
    socket.end(Buffer.concat(parts));
    await closed;
  }
  const stream = node().request({ ':path': '/' });
  expect(
    await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status']))),
  ).toBe(200);
});
