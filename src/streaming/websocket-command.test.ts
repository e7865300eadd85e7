import { once } from 'node:events';
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Sessions, TerminalSize } from '../lib/streams.ts';
import type { StreamingServer } from './server.ts';
import {
  ALL_STREAMS,
  execUrl,
  OUT_ONLY,
  openWebSocket,
  receive,
  sendChannel,
  startBench,
  TERMINAL,
} from './testing/bench.ts';

let server: StreamingServer | null = null;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = null;
});

const V5 = 'v5.channel.k8s.io';
const V4 = 'v4.channel.k8s.io';
const V4_BASE64 = 'v4.base64.channel.k8s.io';
const OLD = 'channel.k8s.io';
const OLD_BASE64 = 'base64.channel.k8s.io';

type Wished = typeof OUT_ONLY | typeof ALL_STREAMS | typeof TERMINAL;

async function connectTo(exec: Sessions['exec'], protocol: string, wish: Wished) {
  server = await startBench({ exec });
  return await openWebSocket(execUrl(server, wish), protocol);
}

/** Says what it reads until a full stop, then exits. */
function echo(code: number): Sessions['exec'] {
  return async (_wish, { stdin, stdout, stderr }) => {
    stderr?.write('warned\n');
    for await (const chunk of stdin ?? []) {
      stdout?.write(chunk);
      if (String(chunk).includes('.')) break;
    }
    return code;
  };
}

test.each([
  [V5, '{"metadata":{},"status":"Success"}'],
  [V4, '{"metadata":{},"status":"Success"}'],
  [V4_BASE64, '{"metadata":{},"status":"Success"}'],
  [OLD, ''],
  [OLD_BASE64, ''],
  ['', ''],
])('%j: stdin, both outputs, then the outcome and a normal closure', async (protocol, status) => {
  const ws = await connectTo(echo(0), protocol, ALL_STREAMS);
  const received = receive(ws);
  sendChannel(ws, 0, 'one ');
  sendChannel(ws, 0, 'twö.');
  const { channels, order, code } = await received;
  expect(channels).toEqual(['', 'one twö.', 'warned\n', status, '']);
  if (status !== '') expect(order.at(-1)).toBe(3);
  expect(code).toBe(1000);
});

test.each([
  [V5, /"reason":"NonZeroExitCode".*"message":"42"/],
  [V4_BASE64, /"reason":"NonZeroExitCode".*"message":"42"/],
  [OLD, /^command terminated with non-zero exit code: 42$/],
  [OLD_BASE64, /^command terminated with non-zero exit code: 42$/],
])('%j: the exit code', async (protocol, pattern) => {
  const { channels } = await receive(await connectTo(echo(42), protocol, OUT_ONLY));
  expect(channels[3]).toMatch(pattern);
});

test('the first message is an empty one on the first channel to write', async () => {
  for (const [wish, channel] of [
    [OUT_ONLY, 1],
    [{ ...OUT_ONLY, stdout: false }, 2],
    [{ ...ALL_STREAMS, stdout: false, stderr: false }, 3],
  ] as const) {
    server = await startBench({ exec: async () => 0 });
    const ws = await openWebSocket(execUrl(server, wish), V4);
    ws.resume();
    const [first] = (await once(ws, 'message')) as [Buffer];
    expect([...first]).toEqual([channel]);
    await once(ws, 'close');
    await server[Symbol.asyncDispose]();
  }
});

test('v5: the close signal ends stdin', async () => {
  const ws = await connectTo(
    async (_wish, { stdin, stdout }) => {
      for await (const chunk of stdin ?? []) stdout?.write(chunk);
      stdout?.write('ended');
      return 0;
    },
    V5,
    ALL_STREAMS,
  );
  const received = receive(ws);
  sendChannel(ws, 0, 'all of it, ');
  ws.send(Buffer.from([255, 0]));
  sendChannel(ws, 0, 'too late');
  expect((await received).channels[1]).toBe('all of it, ended');
});

test('v4 has no close signal', async () => {
  const ws = await connectTo(echo(0), V4, ALL_STREAMS);
  const received = receive(ws);
  ws.send(Buffer.from([255, 0]));
  sendChannel(ws, 0, 'still open.');
  expect((await received).channels[1]).toBe('still open.');
});

test('v5: a close signal for nothing in particular ends the connection', async () => {
  const fired = Promise.withResolvers<void>();
  const exec: Sessions['exec'] = async (_wish, _streams, signal) => {
    signal.addEventListener('abort', () => fired.resolve());
    await fired.promise;
    return 0;
  };
  const ws = await connectTo(exec, V5, ALL_STREAMS);
  const received = receive(ws);
  ws.send(Buffer.from([255]));
  expect((await received).code).toBe(1002);
  await fired.promise;
});

test('sizes, those before the session included', async () => {
  const sizes: TerminalSize[] = [];
  const enough = Promise.withResolvers<void>();
  const exec: Sessions['exec'] = async (_wish, streams) => {
    // The first byte of stdin comes after the first size.
    await new Promise((resolve) => streams.stdin?.once('data', resolve));
    streams.onResize((size) => {
      if (sizes.push(size) === 2) enough.resolve();
    });
    await enough.promise;
    return 0;
  };
  const ws = await connectTo(exec, V5, TERMINAL);
  const received = receive(ws);
  sendChannel(ws, 4, '{"Width":80,"Height":24}\n');
  sendChannel(ws, 0, 'x');
  await new Promise((resolve) => setTimeout(resolve, 20));
  sendChannel(ws, 4, '{"Width":132,"Height":43}');
  await received;
  expect(sizes.at(-1)).toEqual({ width: 132, height: 43 });
  expect(sizes[0]).toEqual({ width: 80, height: 24 });
});

test.each(['killed', 'closing in order'])('the signal fires when the client is gone: %s', async (how) => {
  const fired = Promise.withResolvers<unknown>();
  const broken = Promise.withResolvers<void>();
  const exec: Sessions['exec'] = async (_wish, { stdin, stdout }, signal) => {
    signal.addEventListener('abort', () => fired.resolve(signal.reason));
    stdin?.resume();
    stdout?.once('close', () => broken.resolve());
    await Promise.all([fired.promise, broken.promise]);
    return 137;
  };
  const ws = await connectTo(exec, V5, ALL_STREAMS);
  ws.resume();
  if (how === 'killed') ws.terminate();
  else ws.close();
  expect(await fired.promise).toMatchObject({ message: 'the client is gone' });
  await broken.promise;
});

test('a client that goes on sending to a process that has ended gets its status', async () => {
  const ws = await connectTo(async () => 5, V5, ALL_STREAMS);
  const received = receive(ws);
  for (let i = 0; i < 32; i += 1) ws.send(Buffer.concat([Buffer.from([0]), Buffer.alloc(65_536)]));
  const { channels, code } = await received;
  expect(channels[3]).toContain('"5"');
  expect(code).toBe(1000);
});

test('a session in which nothing moves is ended', async () => {
  const fired = Promise.withResolvers<void>();
  const exec: Sessions['exec'] = async (_wish, _streams, signal) => {
    signal.addEventListener('abort', () => fired.resolve());
    await fired.promise;
    return 0;
  };
  server = await startBench({ exec }, { idleTimeoutMs: 50 });
  const ws = await openWebSocket(execUrl(server, OUT_ONLY), V5);
  await Promise.all([fired.promise, receive(ws)]);
});

test('what keeps moving is not idle', async () => {
  const sessions: Partial<Sessions> = {
    exec: async (_wish, { stdout }) => {
      for (let i = 0; i < 10; i += 1) {
        stdout?.write('.');
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      return 0;
    },
  };
  server = await startBench(sessions, { idleTimeoutMs: 200 });
  const { channels } = await receive(await openWebSocket(execUrl(server, OUT_ONLY), V5));
  expect(channels[1]).toBe('..........');
  expect(channels[3]).toContain('Success');
});

test.each<[string, Buffer | string]>([
  ['an empty message', Buffer.alloc(0)],
  ['a channel that is not read', Buffer.from([1, 65])],
  ['a channel that does not exist', Buffer.from([77, 65])],
  ['only a channel', Buffer.from([0])],
  ['a broken size', Buffer.from('\u0004{"Width":')],
  ['text', '\u0000text'],
])('%s does no harm', async (_name, message) => {
  const ws = await connectTo(echo(0), V5, ALL_STREAMS);
  const received = receive(ws);
  ws.send(message);
  sendChannel(ws, 0, 'over.');
  expect((await received).channels[3]).toContain('Success');
});

test('a message that comes together with the upgrade request is not lost', async () => {
  const stdin = Promise.withResolvers<string>();
  const exec: Sessions['exec'] = async (_wish, streams) => {
    streams.stdin?.once('data', (chunk: Buffer) => stdin.resolve(chunk.toString()));
    await stdin.promise;
    return 0;
  };
  server = await startBench({ exec });
  const { hostname, port, pathname } = new URL(execUrl(server, ALL_STREAMS));
  const socket = net.connect({ host: hostname, port: Number(port) });
  const lines = [
    `GET ${pathname} HTTP/1.1`,
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
    'Sec-WebSocket-Protocol: v5.channel.k8s.io',
  ];
  // One final binary frame of four bytes, with a mask of zeros: channel 0, "abc".
  const frame = Buffer.from([0x82, 0x84, 0, 0, 0, 0, 0, 97, 98, 99]);
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), frame]));
  expect(await stdin.promise).toBe('abc');
  socket.destroy();
});
