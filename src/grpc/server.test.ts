import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { connect as connectNode } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, it, test } from 'vitest';
import { scratchSocket } from '../host/testing/scratch-socket.ts';
import { FLAG, FRAME, frameHeader, PREFACE, pingFrame } from './frames.ts';
import { frameOf } from './messages.ts';
import type { GrpcServer, ServerCall } from './server.ts';
import { serveGrpc } from './server.ts';

const scratch = scratchSocket();
let server: GrpcServer;

const echo = (call: ServerCall): void => call.end({ code: 'ok', details: '' }, call.request);

beforeEach(async () => {
  server = await serveGrpc(
    scratch.address,
    new Map([
      ['/a.Test/Echo', echo],
      ['/a.Test/Never', () => {}],
    ]),
  );
  scratch.stack.defer(() => server.destroy());
});
const MESSAGE = Buffer.concat(frameOf(Buffer.from('hello')));

/** A call by Node's HTTP/2; `headers` outrank what a call has. */
function begin(headers: Record<string, string> = {}, options = {}): ClientHttp2Stream {
  const session = connectNode('http://x', { createConnection: () => connectSocket(scratch.address) });
  session.on('error', () => {});
  scratch.stack.defer(() => session.destroy());
  const stream = session.request(
    {
      ':path': '/a.Test/Echo',
      ':method': 'POST',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    },
    options,
  );
  stream.on('error', () => {});
  return stream;
}

/** The status that a call ends with, and what came before. */
async function answerTo(stream: ClientHttp2Stream): Promise<{ status: unknown; body: string }> {
  let status: unknown = null;
  const look = (headers: Record<string, unknown>): void => {
    status = headers['grpc-status'] ?? status ?? `HTTP ${String(headers[':status'])}`;
  };
  const chunks: Buffer[] = [];
  stream.on('response', look).on('trailers', look);
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
  await once(stream, 'close');
  return { status, body: Buffer.concat(chunks).subarray(5).toString() };
}

test('a call is answered', async () => {
  const stream = begin();
  stream.end(MESSAGE);
  expect(await answerTo(stream)).toEqual({ status: '0', body: 'hello' });
});

test('so is one that trailers end', async () => {
  const stream = begin({}, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ checksum: 'x' }));
  stream.end(MESSAGE);
  expect(await answerTo(stream)).toEqual({ status: '0', body: 'hello' });
});

it.each<[string, Record<string, string>, Buffer, string]>([
  ['an unknown method', { ':path': '/a.Test/None' }, MESSAGE, '12'],
  ['no message', {}, Buffer.alloc(0), '13'],
  ['two messages', {}, Buffer.concat([MESSAGE, MESSAGE]), '13'],
  ['a compressed message', {}, Buffer.of(1, 0, 0, 0, 1, 7), '12'],
  ['a message that is too large', {}, Buffer.of(0, 0x7f, 0, 0, 0), '8'],
  ['another content type', { 'content-type': 'text/plain' }, MESSAGE, 'HTTP 415'],
])('%s is refused', async (_name, headers, body, status) => {
  const stream = begin(headers);
  stream.end(body);
  expect(await answerTo(stream)).toMatchObject({ status });
});

test('a second message is refused before the last, so that a stream of them is not kept', async () => {
  const stream = begin();
  stream.write(Buffer.concat([MESSAGE, MESSAGE]));
  expect(await answerTo(stream)).toMatchObject({ status: '13' });
});

test('the deadline is told by the server as well', async () => {
  const stream = begin({ ':path': '/a.Test/Never', 'grpc-timeout': '30m' });
  stream.end(MESSAGE);
  expect(await answerTo(stream)).toMatchObject({ status: '4' });
});

test('who does not read answers is asked for no more, and does not keep the server from ending', async () => {
  const socket = connectSocket(scratch.address);
  scratch.stack.defer(() => void socket.destroy());
  socket.on('error', () => {});
  socket.pause();
  const ping = pingFrame(Buffer.alloc(8), false);
  let isTaken = false;
  const pings = Array.from({ length: 100_000 }, () => ping);
  socket.write(Buffer.concat([PREFACE, ...pings]), () => {
    isTaken = true;
  });
  await sleep(500);
  expect(isTaken).toBe(false);
  // And breaks the protocol at the end.
  socket.write(frameHeader(FRAME.data, FLAG.endStream, 7, 0));
  const drained = server.drain();
  await sleep(50);
  server.destroy();
  await drained;
});
