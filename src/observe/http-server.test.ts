import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askDaemon } from '../cli/ask-daemon.ts';
import { Tracer } from '../lib/trace.ts';
import { debugRoutes } from './debug-routes.ts';
import { serveHttp } from './http-server.ts';
import { KeptTraces } from './kept-traces.ts';

const log = pino({ level: 'silent' });
let dir = '';
let path = '';
let tracer: Tracer;

beforeEach(() => {
  dir = mkdtempSync('/tmp/cristal-debug-');
  path = `${dir}/debug.sock`;
  tracer = new Tracer();
});
afterEach(() => rmSync(dir, { recursive: true }));

async function serve(): Promise<AsyncDisposable> {
  const kept = new KeptTraces({ latest: 10, slowest: 2 });
  tracer.add(kept);
  const answer = debugRoutes({ tracer, kept });
  return await serveHttp({ place: { path }, setting: 'tracing.debug_socket', answer, log });
}

/** Sends bytes as they are, and reads until the other side hangs up. */
async function raw(bytes: string): Promise<string> {
  const socket = net.connect({ path });
  socket.end(bytes);
  return await text(socket);
}

test('tells of calls that ended, of one of them, and of those that run', async () => {
  await using _server = await serve();
  const gate = Promise.withResolvers<void>();
  const running = tracer.run(
    { kind: 'rpc', name: 'Stop', attributes: { target: 'a/b' } },
    () => gate.promise,
  );
  await tracer.run({ kind: 'rpc', name: 'Run' }, () => null);
  await tracer.run({ kind: 'rpc', name: 'Version', quiet: true }, () => null);
  expect(await askDaemon(path, '/traces')).toMatchObject({ latest: [{ id: 3 }, { id: 2 }] });
  expect(await askDaemon(path, '/traces?rpc=Run')).toMatchObject({
    latest: [{ id: 2, name: 'Run', code: 'ok' }],
    slowest: [{ id: 2 }],
  });
  expect(await askDaemon(path, '/traces/2')).toMatchObject({ id: 2, root: { kind: 'rpc', name: 'Run' } });
  expect(await askDaemon(path, '/stuck')).toMatchObject({ running: [{ id: 1, target: 'a/b', code: null }] });
  expect(await askDaemon(path, '/stuck?rpc=Run')).toEqual({ running: [] });
  gate.resolve();
  await running;
});

test.each([
  ['/traces/99', 'not_found', 'no trace 99: it was never there, or is no longer kept'],
  ['/traces/..%2f1', 'invalid_argument', '..%2f1 is not the number of a trace'],
  ['/traces/1e3', 'invalid_argument', '1e3 is not the number of a trace'],
  ['/traces/', 'invalid_argument', ' is not the number of a trace'],
  ['/traces?name=Run', 'invalid_argument', 'name: no such parameter'],
  ['/', 'not_found', 'nothing is served at /'],
  ['/traces/1/spans', 'not_found', 'nothing is served at /traces/1/spans'],
])('GET %s: %s', async (url, code, message) => {
  await using _server = await serve();
  await expect(askDaemon(path, url)).rejects.toMatchObject({ code, message });
});

test.each([
  ['POST /traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '405'],
  ['GET http://elsewhere/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '400'],
  ['GET /traces HTTP/1.1\r\n\r\n', '400'],
  ['hello\r\n\r\n', '400'],
])('%j is answered with %s, and the next one is served', async (bytes, status) => {
  await using _server = await serve();
  expect(await raw(bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(await askDaemon(path, '/stuck')).toEqual({ running: [] });
});

test('the socket is for its owner alone, and goes with the server', async () => {
  const server = await serve();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const idle = net.connect({ path });
  await new Promise((resolve) => idle.once('connect', resolve));
  await server[Symbol.asyncDispose]();
  expect(existsSync(path)).toBe(false);
  await expect(askDaemon(path, '/stuck')).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(path) as string,
  });
  idle.destroy();
});

test('what is there already is refused', async () => {
  await using _server = await serve();
  await expect(serve()).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining('choose another `tracing.debug_socket`') as string,
  });
  writeFileSync(`${dir}/file`, '');
  path = `${dir}/file`;
  await expect(serve()).rejects.toMatchObject({ code: 'failed_precondition' });
});
