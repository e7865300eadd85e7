import type { Http2Server, ServerHttp2Stream } from 'node:http2';
import { constants, createServer as createNodeServer } from 'node:http2';
import { expect, it, test } from 'vitest';
import { scratchSocket } from '../host/testing/scratch-socket.ts';
import { connectTo } from './client.ts';
import { REASON } from './frames.ts';
import { encodeHeaders } from './hpack.ts';
import type { Http2Connection } from './http2-connection.ts';
import type { Stream } from './http2-stream.ts';
import { Gathered } from './testing/gathered.ts';

/* The client's side, against Node's own HTTP/2: another implementation. */

const MIB = 1024 * 1024;

const scratch = scratchSocket();

function listening(server: Http2Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(scratch.address, resolve);
  return promise;
}

async function connected(
  serve: (stream: ServerHttp2Stream) => void,
  settings = {},
): Promise<{ connection: Http2Connection; server: Http2Server; ended: Promise<Error | null> }> {
  const server = createNodeServer({ settings });
  server.on('sessionError', () => {});
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    serve(stream as ServerHttp2Stream);
  });
  await listening(server);
  const { promise: ended, resolve } = Promise.withResolvers<Error | null>();
  const connection = connectTo(scratch.address, { connected: () => {}, closed: resolve });
  scratch.stack.defer(() => {
    connection.destroy(new Error('the test is over'));
    server.close();
  });
  return { connection, server, ended };
}

function request(connection: Http2Connection): { stream: Stream; gathered: Gathered } {
  const gathered = new Gathered();
  const stream = connection.open(gathered);
  gathered.stream = stream;
  stream.sendHeaders(
    encodeHeaders([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'x'],
    ]),
  );
  return { stream, gathered };
}

it.each([
  ['usual windows', {}],
  ['a window of 1000 bytes', { initialWindowSize: 1_000 }],
  ['a window of 4 MiB', { initialWindowSize: 4 * MIB }],
  ['no table for headers', { headerTableSize: 0 }],
])('echoes 8 MiB with %s', async (_name, settings) => {
  const { connection } = await connected((stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ after: 'all' }));
    stream.on('data', (chunk: Buffer) => {
      if (!stream.write(chunk)) stream.pause();
    });
    stream.on('drain', () => stream.resume()).on('end', () => stream.end());
  }, settings);
  const all = await Promise.all(
    [1, 2, 3].map(async (seed) => {
      const { stream, gathered } = request(connection);
      const sent = Buffer.alloc(8 * MIB, `${seed} cristal`);
      stream.send([sent.subarray(0, 5), sent.subarray(5, 100_000), sent.subarray(100_000)]);
      stream.end();
      expect(await gathered.over.promise).toBeNull();
      expect(gathered.bytes.equals(sent)).toBe(true);
      return gathered.lists.map((list) => list.get(':status') ?? list.get('after'));
    }),
  );
  expect(all).toEqual([
    ['200', 'all'],
    ['200', 'all'],
    ['200', 'all'],
  ]);
  expect(connection.streamCount).toBe(0);
});

test('the writer is told when the peer is behind, and when it is not', async () => {
  let reader: ServerHttp2Stream | null = null;
  const { connection } = await connected((stream) => {
    reader = stream;
    stream.respond({ ':status': 200 });
  });
  const { stream, gathered } = request(connection);
  expect(stream.send([Buffer.alloc(2 * MIB)])).toBe(false);
  await expect.poll(() => reader).not.toBeNull();
  expect(gathered.drains).toBe(0);
  (reader as ServerHttp2Stream | null)?.resume();
  await expect.poll(() => gathered.drains).toBe(1);
  stream.end();
  expect(stream.queuedBytes).toBe(0);
});

test('a reader that does not take what comes holds back its own stream alone', async () => {
  const { connection } = await connected((stream) => {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(8 * MIB));
  });
  const lazy = request(connection);
  lazy.gathered.stream = null; // so that nothing is consumed
  lazy.stream.end();
  await expect.poll(() => lazy.gathered.bytes.length).toBe(MIB);
  const other = request(connection);
  other.stream.end();
  expect(await other.gathered.over.promise).toBeNull();
  expect(other.gathered.bytes.length).toBe(8 * MIB);
  expect(lazy.gathered.bytes.length).toBe(MIB);
  lazy.gathered.stream = lazy.stream;
  lazy.stream.consumed(MIB);
  expect(await lazy.gathered.over.promise).toBeNull();
  expect(lazy.gathered.bytes.length).toBe(8 * MIB);
});

test('a reset ends one stream on the other side, and one of theirs ours', async () => {
  const codes: number[] = [];
  const { connection } = await connected((stream) => {
    stream.on('close', () => void codes.push(stream.rstCode));
    stream.respond({ ':status': 200 });
    if (codes.length > 0) stream.close(constants.NGHTTP2_REFUSED_STREAM);
  });
  const first = request(connection);
  await expect.poll(() => first.gathered.lists.length).toBe(1);
  first.stream.reset(REASON.cancel, new Error('mine'));
  expect(await first.gathered.over.promise).toMatchObject({ message: 'mine' });
  await expect.poll(() => codes).toEqual([REASON.cancel]);
  const second = request(connection);
  expect(await second.gathered.over.promise).toMatchObject({ name: 'StreamReset', reason: REASON.refused });
  expect(connection.isUsable).toBe(true);
});

test('pings are answered both ways', async () => {
  const { connection, server } = await connected((stream) => stream.respond({}));
  const session = new Promise<{ ping(done: (error: Error | null) => void): boolean }>((resolve) => {
    server.once('session', resolve);
  });
  await new Promise<void>((resolve) => connection.ping(resolve));
  const { ping } = { ping: (await session).ping.bind(await session) };
  expect(await new Promise((resolve) => ping(resolve))).toBeNull();
});

test('a server that says goodbye finishes what it has begun and gets nothing new', async () => {
  const finish = Promise.withResolvers<void>();
  const { connection, server, ended } = await connected((stream) => {
    stream.respond({ ':status': 200 });
    void finish.promise.then(() => stream.end('done'));
  });
  server.once('session', (session) => session.once('stream', () => session.goaway(0)));
  const { stream, gathered } = request(connection);
  stream.end();
  await expect.poll(() => connection.isUsable).toBe(false);
  expect(() => connection.open(new Gathered())).toThrow('closed');
  finish.resolve();
  expect(await gathered.over.promise).toBeNull();
  expect(gathered.bytes.toString()).toBe('done');
  expect(await ended).toBeNull();
});
