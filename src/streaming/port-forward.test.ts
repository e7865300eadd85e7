import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Fault } from '../lib/fault.ts';
import type { Sessions } from '../lib/streams.ts';
import { TUNNEL_PROTOCOL } from './negotiate.ts';
import type { StreamingServer } from './server.ts';
import type { SpdyClient } from './spdy/testing/client.ts';
import { connectSpdy } from './spdy/testing/client.ts';
import {
  openSpdy,
  openWebSocket,
  readAll,
  receive,
  request,
  sendChannel,
  startBench,
} from './testing/bench.ts';
import { clientTunnel } from './testing/tunnel.ts';

const V1 = 'portforward.k8s.io';

let server: StreamingServer | null = null;
const cleanups: (() => void)[] = [];
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = null;
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A TCP server on loopback in the place of a pod's, and a dial to it. 1 is a port where nobody is. */
async function pod(serve: (socket: net.Socket) => void): Promise<Sessions['dial']> {
  const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    cleanups.push(() => socket.destroy());
    serve(socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  cleanups.push(() => listener.close());
  const { port } = listener.address() as net.AddressInfo;
  return async (_wish, wanted) => {
    if (wanted === 1) throw new Fault('unavailable', `dial port ${wanted}: connection refused`);
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
}

/** Answers with what it got, once it has all of it. */
const answerAll = (socket: net.Socket): void => {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => socket.end(`got ${Buffer.concat(chunks).toString()}`));
};

/** Reads, closes when the other side does, and tells. */
const untilClosed = (closed: () => void) => (socket: net.Socket) => {
  socket.resume();
  socket.on('end', () => socket.end());
  socket.once('close', closed);
};

async function start(dial: Sessions['dial'], ports: number[] = []): Promise<string> {
  server = await startBench({ dial });
  return server.portForwardUrl({ sandboxId: 's1', ports });
}

async function connectTo(dial: Sessions['dial']): Promise<SpdyClient> {
  return (await openSpdy(await start(dial), V1)).client;
}

function headers(streamtype: 'data' | 'error', port: number | string, requestid?: string) {
  return { streamtype, port: String(port), ...(requestid === undefined ? {} : { requestid }) };
}

async function openPair(client: SpdyClient, port: number, id: string) {
  const error = await client.openStream(headers('error', port, id));
  error.duplex.end();
  const data = await client.openStream(headers('data', port, id));
  return { error: error.duplex, data: data.duplex };
}

async function over(transport: 'spdy' | 'tunnel', dial: Sessions['dial']): Promise<SpdyClient> {
  if (transport === 'spdy') return await connectTo(dial);
  const result = await request(
    await start(dial),
    {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      'Sec-WebSocket-Protocol': TUNNEL_PROTOCOL,
    },
    'GET',
  );
  if (result.answer) throw new Error(result.answer.body);
  expect(result.headers['sec-websocket-protocol']).toBe(TUNNEL_PROTOCOL);
  return connectSpdy(clientTunnel(result.socket, result.head));
}

test.each(['spdy', 'tunnel'] as const)(
  '%s: both ways, with a half-close, and an empty error stream',
  async (transport) => {
    const client = await over(transport, await pod(answerAll));
    const { data, error } = await openPair(client, 80, '0');
    const all = Promise.all([readAll(data), readAll(error)]);
    data.write('a question, ');
    data.end('and its end');
    expect(await all).toEqual(['got a question, and its end', '']);
  },
);

test.each(['spdy', 'tunnel'] as const)('%s: many connections at a time', async (transport) => {
  const client = await over(transport, await pod(answerAll));
  const answers = Array.from({ length: 50 }, async (_, index) => {
    const { data, error } = await openPair(client, 80, String(index));
    data.end(`${index}`);
    return await Promise.all([readAll(data), readAll(error)]);
  });
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 50 }, (_, index) => [`got ${index}`, '']));
});

test('a port that cannot be reached is told, and the others go on', async () => {
  const client = await connectTo(await pod(answerAll));
  const good = await openPair(client, 80, 'good');
  const bad = await openPair(client, 1, 'bad');
  const badAll = Promise.all([readAll(bad.data), readAll(bad.error)]);
  expect(await badAll).toEqual(['', 'error forwarding port 1 to pod s1: dial port 1: connection refused']);
  const goodAll = readAll(good.data);
  good.data.end('still here');
  expect(await goodAll).toBe('got still here');
});

test('a connection that the pod resets is reset for the client, and the others go on', async () => {
  let first = true;
  const client = await connectTo(
    await pod((socket) => {
      if (first) socket.once('data', () => socket.resetAndDestroy());
      else answerAll(socket);
      first = false;
    }),
  );
  const broken = await openPair(client, 80, '0');
  broken.data.write('x');
  await expect(readAll(broken.data)).rejects.toThrow('reset');
  expect(await readAll(broken.error)).toBe('');
  const next = await openPair(client, 80, '1');
  const answer = readAll(next.data);
  next.data.end('y');
  expect(await answer).toBe('got y');
});

test("a stream that the client resets ends the pod's connection", async () => {
  const closed = Promise.withResolvers<void>();
  const client = await connectTo(await pod(untilClosed(closed.resolve)));
  const { data, error } = await openPair(client, 80, '0');
  data.destroy();
  await closed.promise;
  expect(await readAll(error)).toBe('');
});

test('a client that vanishes leaves no connection to the pod, not even one that was being made', async () => {
  const closed = Promise.withResolvers<void>();
  const dial = await pod(untilClosed(closed.resolve));
  const late = Promise.withResolvers<Duplex>();
  const dialling = Promise.withResolvers<void>();
  const client = await connectTo(async (wish, port, signal) => {
    if (port === 80) return await dial(wish, port, signal);
    dialling.resolve();
    return await late.promise;
  });
  await openPair(client, 80, '0');
  await openPair(client, 81, '1');
  await dialling.promise;
  client.destroy();
  await closed.promise;
  const socket = await dial({ sandboxId: 's1', ports: [] }, 80, new AbortController().signal);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  late.resolve(socket);
  await gone;
});

test('a pair may come in any order, and without request ids', async () => {
  const client = await connectTo(await pod(answerAll));
  const data = await client.openStream(headers('data', 80, 'x'));
  const error = await client.openStream(headers('error', 80, 'x'));
  const oldError = await client.openStream(headers('error', 80));
  const oldData = await client.openStream(headers('data', 80));
  const all = Promise.all([data, error, oldData, oldError].map(({ duplex }) => readAll(duplex)));
  data.duplex.end('new');
  oldData.duplex.end('old');
  expect(await all).toEqual(['got new', '', 'got old', '']);
});

test.each([
  ['no port', { streamtype: 'data', requestid: '0' }],
  ['port 0', headers('data', 0, '0')],
  ['port 65536', headers('error', 65_536, '0')],
  ['a port that is no number', headers('data', '80x', '0')],
  ['another type', { ...headers('data', 80, '0'), streamtype: 'stdin' }],
])('a stream with %s is refused alone', async (_name, wrong) => {
  const client = await connectTo(await pod(answerAll));
  await expect(client.openStream(wrong)).rejects.toThrow('reset');
  const { data } = await openPair(client, 80, '0');
  const answer = readAll(data);
  data.end('fine');
  expect(await answer).toBe('got fine');
});

test('a second stream of one type is refused', async () => {
  const client = await connectTo(await pod(answerAll));
  const { duplex } = await client.openStream(headers('data', 80, '0'));
  const second = await client.openStream(headers('data', 80, '0'));
  await expect(readAll(second.duplex)).rejects.toThrow('reset');
  await client.openStream(headers('error', 80, '0'));
  const answer = readAll(duplex);
  duplex.end('first');
  expect(await answer).toBe('got first');
});

test.each(['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'portforward.k8s.io', ''])(
  'WebSocket channels (%j): the port on each, then data',
  async (protocol) => {
    const url = await start(
      await pod((socket) => socket.once('data', (data) => socket.end(`got ${String(data)}`))),
      [8080, 1],
    );
    const ws = await openWebSocket(url, protocol);
    const received = receive(ws);
    sendChannel(ws, 0, 'a question');
    const { channels, code } = await received;
    expect(channels.slice(0, 4)).toEqual([
      '\u0090\u001fgot a question'.replace('\u0090', Buffer.from([0x90]).toString()),
      Buffer.from([0x90, 0x1f]).toString(),
      '\u0001\u0000',
      '\u0001\u0000error forwarding port 1 to pod s1: dial port 1: connection refused',
    ]);
    expect(code).toBe(1000);
  },
);

test('WebSocket channels without ports in the request make no session', async () => {
  const url = await start(await pod(answerAll));
  const ws = new WebSocket(url.replace('http', 'ws'), ['v4.channel.k8s.io']);
  await expect(once(ws, 'open')).rejects.toThrow('Unexpected server response: 400');
});
