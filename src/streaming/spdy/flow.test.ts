import { once } from 'node:events';
import { duplexPair, Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import pino from 'pino';
import { describe, expect, it, test, vi } from 'vitest';
import type { SpdyStream } from './connection.ts';
import { serveSpdy } from './connection.ts';
import {
  encodeDataHeader,
  encodePing,
  encodeSettings,
  encodeWindowUpdate,
  SETTING_INITIAL_WINDOW,
} from './frames.ts';
import type { SpdyClient } from './testing/client.ts';
import { echo, memoryPair, readAll, tcpPair } from './testing/pair.ts';

const MIB = 1024 * 1024;

describe('a download', () => {
  it.each([false, true])(
    'does not wait for a window that nobody opens (client sends updates: %s)',
    async (sendsUpdates) => {
      const { client, streams } = await tcpPair({ sendsUpdates });
      const { duplex } = await client.openStream({});
      streams[0]?.duplex.end(Buffer.alloc(8 * MIB));
      expect((await readAll(duplex)).length).toBe(8 * MIB);
    },
  );

  test('keeps to the window of a stream once the client has named one', async () => {
    const { client, streams } = memoryPair();
    client.send(encodeSettings([{ id: SETTING_INITIAL_WINDOW, flags: 0, value: 1000 }]));
    const { id, duplex } = await client.openStream({});
    const received = count(duplex);
    streams[0]?.duplex.end(Buffer.alloc(5000));
    await settle(client);
    expect(received()).toBe(1000);
    client.send(encodeWindowUpdate(id, 500));
    await settle(client);
    expect(received()).toBe(1500);
    client.send(encodeSettings([{ id: SETTING_INITIAL_WINDOW, flags: 0, value: 10_000 }]));
    await once(duplex, 'end');
    expect(received()).toBe(5000);
  });

  test('keeps to the window of the connection, which streams share', async () => {
    const { client, streams } = memoryPair();
    client.send(encodeSettings([{ id: SETTING_INITIAL_WINDOW, flags: 0, value: MIB }]));
    const opened = await Promise.all(Array.from({ length: 3 }, () => client.openStream({})));
    const received = opened.map(({ duplex }) => count(duplex));
    for (const { duplex } of streams) duplex.end(Buffer.alloc(50_000));
    await settle(client);
    expect(sum(received)).toBe(64 * 1024);
    client.send(encodeWindowUpdate(0, 60_000));
    await settle(client);
    expect(sum(received)).toBe(64 * 1024 + 60_000);
    client.send(encodeWindowUpdate(0, MIB));
    await settle(client);
    expect(sum(received)).toBe(150_000);
  });

  test('stops its source while the client does not read', async () => {
    const { client, streams } = memoryPair();
    const { duplex } = await client.openStream({});
    let pulled = 0;
    const source = function* (): Generator<Buffer> {
      for (; pulled < 16 * MIB; pulled += 16 * 1024) yield Buffer.alloc(16 * 1024);
    };
    Readable.from(source()).pipe((streams[0] as SpdyStream).duplex);
    await once(duplex, 'readable');
    for (let i = 0; i < 100; i++) await setImmediate();
    expect(pulled).toBeLessThan(MIB);
    expect((await readAll(duplex)).length).toBe(16 * MIB);
  });

  test('breaks off for a window beyond 2^31 - 1, alone', async () => {
    const { client } = memoryPair({ onStream: echo });
    const { id, duplex } = await client.openStream({});
    const failed = once(duplex, 'error');
    client.send(encodeWindowUpdate(id, 0x7fffffff));
    expect(await failed).toMatchObject([{ message: 'reset with status 7' }]);
    await client.ping();
  });
});

describe('an upload', () => {
  test('of a client that does not count gets no updates', async () => {
    const { client, streams } = await tcpPair();
    const { duplex } = await client.openStream({});
    duplex.end(Buffer.alloc(8 * MIB));
    expect((await readAll(streams[0]?.duplex as SpdyStream['duplex'])).length).toBe(8 * MIB);
    expect(client.frames.map(({ type }) => type)).toEqual(['syn-reply']);
  });

  test('of a client that counts gets them as its reader reads', async () => {
    const { client, streams } = memoryPair();
    client.send(encodeSettings([{ id: SETTING_INITIAL_WINDOW, flags: 0, value: 1000 }]));
    const { id, duplex } = await client.openStream({});
    duplex.write(Buffer.alloc(40_000));
    await settle(client);
    const connection = { type: 'window-update', streamId: 0, delta: 40_000 };
    expect(updates(client)).toEqual([connection]);
    streams[0]?.duplex.resume();
    await settle(client);
    expect(updates(client)).toEqual([connection, { type: 'window-update', streamId: id, delta: 40_000 }]);
  });

  test('that nobody reads stops at a bound, and arrives whole when it is read', async () => {
    const { client, streams, socket } = memoryPair();
    const { duplex } = await client.openStream({});
    let flushed = 0;
    for (let i = 0; i < 64; i++) duplex.write(Buffer.alloc(64 * 1024), () => (flushed += 64 * 1024));
    duplex.end();
    await untilPaused(socket);
    expect(flushed).toBeGreaterThan(MIB / 2);
    expect(flushed).toBeLessThan(2 * MIB);
    expect((await readAll(streams[0]?.duplex as SpdyStream['duplex'])).length).toBe(4 * MIB);
  });

  test('that is not read leaves the others alone up to its bound, and after it was given up', async () => {
    const { client, streams, socket } = memoryPair();
    const [stuck, other] = await Promise.all([client.openStream({}), client.openStream({})]);
    stuck.duplex.write(Buffer.alloc(MIB - 64 * 1024));
    const otherServer = (streams[1] as SpdyStream).duplex;
    otherServer.pipe(otherServer);
    other.duplex.write(Buffer.alloc(MIB));
    const received = count(other.duplex);
    await once(other.duplex, 'readable');
    stuck.duplex.write(Buffer.alloc(MIB));
    await untilPaused(socket);
    streams[0]?.reset();
    other.duplex.end();
    await once(other.duplex, 'end');
    expect(received()).toBe(MIB);
  });

  test('in frames of one byte is bounded by what they cost', async () => {
    const { client, socket } = memoryPair();
    const { id } = await client.openStream({});
    const frame = Buffer.concat([encodeDataHeader(id, 1, false), Buffer.of(1)]);
    for (let i = 0; i < 16; i++) client.send(Buffer.concat(Array.from({ length: 4096 }, () => frame)));
    await untilPaused(socket);
    expect(socket.isPaused()).toBe(true);
  });
});

test('a client that is not read on is looked after, by what it must ignore', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  using _ = { [Symbol.dispose]: () => void vi.useRealTimers() };
  const { client, streams, socket } = memoryPair();
  const { duplex } = await client.openStream({});
  duplex.write(Buffer.alloc(2 * MIB));
  await untilPaused(socket);
  vi.advanceTimersByTime(5000);
  while (client.frames.length < 2) await setImmediate();
  expect(client.frames.at(-1)).toEqual({ type: 'ping', id: 0xffffffff });
  streams[0]?.duplex.resume();
  while (socket.isPaused()) await setImmediate();
  expect(vi.getTimerCount()).toBe(0);
});

test('a client that asks and does not listen to the answers is not read on', async () => {
  const [near, far] = duplexPair();
  const connection = serveSpdy(near, Buffer.alloc(0), { onStream: echo, log: pino({ level: 'silent' }) });
  const pings = Buffer.concat(Array.from({ length: 128 }, () => encodePing(1)));
  let flushed = 0;
  const sent = Promise.all(
    Array.from({ length: 1000 }, () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      far.write(pings, () => resolve(void flushed++));
      return promise;
    }),
  );
  await untilPaused(near);
  expect(near.writableLength).toBeLessThan(100 * 1024);
  expect(flushed).toBeLessThan(300);
  far.resume(); // it listens after all
  await sent;
  connection.destroy();
});

function count(stream: SpdyStream['duplex']): () => number {
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  return () => bytes;
}

function sum(counts: (() => number)[]): number {
  return counts.reduce((total, current) => total + current(), 0);
}

function updates(client: SpdyClient): SpdyClient['frames'] {
  return client.frames.filter(({ type }) => type === 'window-update');
}

/** What was on its way has arrived, in both directions. */
async function settle(client: SpdyClient): Promise<void> {
  await client.ping();
  await client.ping();
}

async function untilPaused(socket: SpdyStream['duplex']): Promise<void> {
  while (!socket.isPaused()) await setImmediate();
}
