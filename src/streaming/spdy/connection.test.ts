import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import pino from 'pino';
import { describe, expect, it, test } from 'vitest';
import type { SpdyStream } from './connection.ts';
import { serveSpdy } from './connection.ts';
import {
  encodeDataHeader,
  encodeGoAway,
  encodePing,
  encodeRstStream,
  encodeSettings,
  encodeSynStream,
} from './frames.ts';
import { HeaderEncoder } from './header-block.ts';
import type { SpdyClient } from './testing/client.ts';
import { echo, memoryPair, readAll, tcpPair } from './testing/pair.ts';

describe('streams', () => {
  test('carry their headers, and the reply its own', async () => {
    const { client, streams } = memoryPair({ onStream: echo });
    const { id, headers } = await client.openStream({ StreamType: 'data', port: '80' });
    expect(streams[0]?.headers).toEqual({ streamtype: 'data', port: '80' });
    expect(headers).toEqual({ streamid: String(id) });
  });

  test('carry much data both ways at once, many at a time', async () => {
    const { client } = await tcpPair({ onStream: echo });
    const opened = await Promise.all(Array.from({ length: 40 }, (_, n) => client.openStream({ n: `${n}` })));
    const echoes = opened.map(async ({ duplex }, n) => {
      duplex.end(Buffer.alloc(1_000_003 + n, n));
      const back = await readAll(duplex);
      return back.length === 1_000_003 + n && back.every((byte) => byte === n);
    });
    expect(await Promise.all(echoes)).toEqual(opened.map(() => true));
  });

  test('may be ended by the client first', async () => {
    const { client, streams } = memoryPair();
    const { duplex } = await client.openStream({});
    duplex.end('question');
    const server = (streams[0] as SpdyStream).duplex;
    expect((await readAll(server)).toString()).toBe('question');
    server.end('answer');
    expect((await readAll(duplex)).toString()).toBe('answer');
  });

  test('may be ended by the server first', async () => {
    const { client, streams } = memoryPair();
    const { duplex } = await client.openStream({});
    const server = (streams[0] as SpdyStream).duplex;
    server.end('all said');
    expect((await readAll(duplex)).toString()).toBe('all said');
    duplex.end('still here');
    expect((await readAll(server)).toString()).toBe('still here');
  });

  test('are replied to before their first data', async () => {
    const { client } = memoryPair({ onStream: ({ duplex }) => void duplex.end('at once') });
    const { duplex } = await client.openStream({});
    expect((await readAll(duplex)).toString()).toBe('at once');
    expect(client.frames.filter(({ type }) => type === 'syn-reply')).toHaveLength(1);
  });

  test('are given at once when they came with the upgrade request', async () => {
    const frame = encodeSynStream({ streamId: 1, block: new HeaderEncoder().encode({ a: 'b' }), fin: true });
    const [near] = duplexPair();
    const stream = await new Promise<SpdyStream>((resolve) => {
      serveSpdy(near, frame, { onStream: resolve, log: pino({ level: 'silent' }) });
    });
    expect(stream.headers).toEqual({ a: 'b' });
    expect(await readAll(stream.duplex)).toEqual(Buffer.alloc(0));
  });
});

describe('a stream that breaks off', () => {
  test('by the client fails with cancelled, and the others go on', async () => {
    const { client, streams } = memoryPair({ onStream: echo });
    const [one, other] = await Promise.all([client.openStream({}), client.openStream({})]);
    const failed = once(streams[0]?.duplex as SpdyStream['duplex'], 'error');
    one.duplex.destroy();
    expect(await failed).toMatchObject([{ code: 'cancelled' }]);
    await expectAlive(client);
    other.duplex.end('alive');
    expect((await readAll(other.duplex)).toString()).toBe('alive');
  });

  it.each<[string, number, (stream: SpdyStream) => void]>([
    ['by reset()', 5, (stream) => stream.reset()],
    ['by destroy()', 5, ({ duplex }) => void duplex.destroy()],
    ['by an error', 6, ({ duplex }) => void duplex.destroy(new Error('mine'))],
  ])('%s is told as %i', async (_name, status, act) => {
    const { client, streams } = memoryPair();
    const { duplex } = await client.openStream({});
    const failed = once(duplex, 'error');
    act(streams[0] as SpdyStream);
    expect(await failed).toMatchObject([{ message: `reset with status ${status}` }]);
    await expectAlive(client);
  });

  test('for an error of the one who got it is told as 6', async () => {
    const { client } = memoryPair({
      onStream: (stream) => {
        if (stream.headers['bad']) throw new Error('no such stream type');
        echo(stream);
      },
    });
    await expect(client.openStream({ bad: 'yes' })).rejects.toThrow('reset with status 6');
    await expectAlive(client);
  });

  test('when data comes after its end is told as 1', async () => {
    const { client, streams } = memoryPair();
    const { id, duplex } = await client.openStream({});
    const failed = once(duplex, 'error');
    client.send(encodeDataHeader(id, 0, true));
    client.send(Buffer.concat([encodeDataHeader(id, 1, false), Buffer.of(1)]));
    expect(await failed).toMatchObject([{ message: 'reset with status 1' }]);
    expect(streams[0]?.duplex.destroyed).toBe(true);
    await expectAlive(client);
  });
});

describe('a stream is refused', () => {
  test('beyond the number of streams, until one is over', async () => {
    const { client, streams } = memoryPair({ maxStreams: 2, onStream: echo });
    const [first] = await Promise.all([client.openStream({}), client.openStream({})]);
    await expect(client.openStream({})).rejects.toThrow('reset with status 3');
    first.duplex.end();
    await readAll(first.duplex);
    await expect(client.openStream({ last: 'one' })).resolves.toBeDefined();
    expect(streams.at(-1)?.headers).toEqual({ last: 'one' });
  });

  test('when it has one direction only', async () => {
    const { client, streams } = memoryPair();
    client.send(
      encodeSynStream({ streamId: 1, block: new HeaderEncoder().encode({}), unidirectional: true }),
    );
    await expectAlive(client);
    expect(client.frames).toContainEqual({ type: 'rst-stream', streamId: 1, status: 3 });
    expect(streams).toEqual([]);
  });

  test('when its headers break the rules', async () => {
    const { client, streams } = memoryPair();
    client.send(encodeSynStream({ streamId: 1, block: new HeaderEncoder().encode({ '': 'x' }) }));
    await expectAlive(client);
    expect(client.frames).toContainEqual({ type: 'rst-stream', streamId: 1, status: 1 });
    expect(streams).toEqual([]);
  });
});

describe('the connection', () => {
  test('answers PING, and not what looks like an answer', async () => {
    const { client } = memoryPair();
    client.send(encodePing(4));
    await client.ping();
    expect(client.frames).toEqual([{ type: 'ping', id: 1 }]);
  });

  test('takes SETTINGS, GOAWAY, resets and data of streams that it does not know', async () => {
    const { client } = memoryPair({ onStream: echo });
    client.send(encodeSettings([{ id: 4, flags: 1, value: 100 }]));
    client.goaway();
    client.send(encodeRstStream(99, 5));
    client.send(Buffer.concat([encodeDataHeader(99, 3, false), Buffer.from('abc')]));
    await expectAlive(client);
    expect(client.frames).toContainEqual({ type: 'rst-stream', streamId: 99, status: 2 });
  });

  test('sends all that was written before it closes, and GOAWAY last', async () => {
    const { client, server, streams } = await tcpPair();
    const { duplex } = await client.openStream({});
    const received = readAll(duplex);
    streams[0]?.duplex.write(Buffer.alloc(3_000_000, 1));
    await server.close();
    expect((await received).length).toBe(3_000_000);
    await client.closed;
    expect(client.frames.at(-1)).toEqual({ type: 'goaway', lastStreamId: 1, status: 0 });
    expect(streams[0]?.duplex.errored).toMatchObject({ code: 'unavailable' });
  });

  test('closes though there are streams that nobody has replied to', async () => {
    const { client, server } = memoryPair({ onStream: () => {} });
    const opened = client.openStream({});
    await client.ping();
    await server.close();
    await expect(opened).rejects.toThrow('reset with status 5');
  });

  test('fails its streams when the client is gone', async () => {
    const { client, server, streams } = await tcpPair();
    await Promise.all([client.openStream({}), client.openStream({})]);
    client.destroy();
    await server.closed;
    expect(streams.map(({ duplex }) => duplex.errored)).toMatchObject([
      { code: 'unavailable' },
      { code: 'unavailable' },
    ]);
  });

  test('ends when it is idle', async () => {
    const { client, server, streams } = memoryPair({ idleMs: 20 });
    await client.openStream({});
    await server.closed;
    expect(client.frames).toContainEqual({ type: 'goaway', lastStreamId: 1, status: 0 });
    expect(streams[0]?.duplex.errored).toMatchObject({ code: 'deadline_exceeded' });
  });

  const block = new HeaderEncoder().encode({});
  it.each<[string, Buffer]>([
    ['no SPDY', Buffer.from([0x80, 0, 0, 1, 0, 0, 0, 0])],
    ['a stream with the id of a server', encodeSynStream({ streamId: 2, block })],
    ['a stream id that was there before', encodeSynStream({ streamId: 1, block: emptyAgain() })],
    ['headers that cannot be read', encodeSynStream({ streamId: 3, block: Buffer.from('nothing') })],
    ['a window beyond its bounds', Buffer.from('8003000900000008000000007fffffff', 'hex')],
  ])('ends by GOAWAY for %s', async (_name, bytes) => {
    const { client, server, streams } = memoryPair();
    await client.openStream({});
    client.send(bytes);
    await server.closed;
    await client.closed;
    expect(client.frames.at(-1)).toMatchObject({ type: 'goaway', lastStreamId: 1, status: 1 });
    expect(streams[0]?.duplex.errored).toMatchObject({ code: 'unavailable' });
  });

  test('takes a GOAWAY in the midst of streams', async () => {
    const { client } = memoryPair({ onStream: echo });
    const { duplex } = await client.openStream({});
    client.send(encodeGoAway(0, 0));
    duplex.end('on');
    expect((await readAll(duplex)).toString()).toBe('on');
  });
});

/** The second empty header block of a connection. */
function emptyAgain(): Buffer {
  const encoder = new HeaderEncoder();
  encoder.encode({});
  return encoder.encode({});
}

async function expectAlive(client: SpdyClient): Promise<void> {
  await client.ping();
  expect(client.frames.filter(({ type }) => type === 'goaway')).toEqual([]);
}

test('two clients do not meet', async () => {
  const [one, other] = [memoryPair({ onStream: echo }), memoryPair({ onStream: echo })];
  await Promise.all([one.client.openStream({}), other.client.openStream({})]);
  one.client.send(Buffer.alloc(8));
  await one.server.closed;
  await expectAlive(other.client);
});
