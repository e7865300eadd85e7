import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { dial } from './dial.ts';
import type { NamespaceThread } from './namespaces.ts';
import { startNamespaceThread } from './namespaces.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
const root = mkdtempSync(join(tmpdir(), 'cristal-dial-'));
const dir = join(root, 'ns');
const netns = join(dir, 'net');
const never = new AbortController().signal;
let thread: NamespaceThread;
let server: ChildProcess;
let before: string[];

/** Echoes, and answers `end` to the end of what it gets: tcp4 on 81, tcp6 on 82. */
const serverProgram = `
  const net = require('node:net');
  const serve = (socket) => { socket.on('data', (d) => socket.write(d)); socket.on('end', () => socket.end('end')); };
  const listen = (port, host) => net.createServer({ allowHalfOpen: true }, serve).listen(port, host);
  listen(81, '127.0.0.1').on('listening', () => listen(82, '::1').on('listening', () => console.log('ready')));
`;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  thread = await startNamespaceThread(pino({ level: 'silent' }));
  await thread.pin({ dir, network: true, ipc: false, uts: false, hostname: '', sysctls: {}, ids: null });
  server = spawn('nsenter', [`--net=${netns}`, process.execPath, '-e', serverProgram], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (server.stdout) await once(server.stdout, 'data');
});
afterAll(async () => {
  server?.kill('SIGKILL');
  await thread?.unpin(dir);
  await thread?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  before = sockets();
});
afterEach(async () => {
  await expect.poll(sockets).toEqual(before);
});

/** The sockets that this process has open. */
function sockets(): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ''; // the descriptor of the listing itself
      }
    })
    .filter((target) => target.startsWith('socket:'))
    .sort();
}

asRoot.each([
  ['IPv4', 81],
  ['IPv6, which comes second', 82],
])('reaches a port inside the namespace by %s, and may be half open', async (_, port) => {
  const socket = await dial(thread, { netns, port }, never);
  const answer = text(socket);
  socket.write('abc');
  socket.end('def');
  expect(await answer).toBe('abcdefend');
});

asRoot('a megabyte each way', async () => {
  const socket = await dial(thread, { netns, port: 81 }, never);
  const answer = text(socket);
  socket.end(Buffer.alloc(1_000_000, 'x'));
  expect((await answer).length).toBe(1_000_003);
});

asRoot.each([
  [
    'nobody listens',
    { netns, port: 83 },
    'unavailable',
    /connect to port 83: .*ECONNREFUSED 127\.0\.0\.1:83; .*ECONNREFUSED ::1:83/,
  ],
  ['there is no such namespace', { netns: join(dir, 'none'), port: 83 }, 'unavailable', /port 83: .*ENOENT/],
  [
    'it is no namespace',
    { netns: '/etc/hostname', port: 83 },
    'unavailable',
    /port 83: open a tcp4 socket in \/etc\/hostname: EINVAL/,
  ],
  ['it is no port', { netns, port: 0 }, 'invalid_argument', /port 0 is not/],
])('says so when %s', async (_, target, code, message) => {
  await expect(dial(thread, target, never)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

asRoot('a fired signal leaves no socket, whenever it fires', async () => {
  const target = { netns, port: 81 };
  await expect(dial(thread, target, AbortSignal.abort())).rejects.toThrow('abort');
  const during = new AbortController();
  const dialled = dial(thread, target, during.signal);
  during.abort();
  await expect(dialled).rejects.toMatchObject({ code: 'cancelled' });
  const after = new AbortController();
  const socket = await dial(thread, target, after.signal);
  after.abort();
  await new Promise((resolve) => socket.once('close', resolve));
});

asRoot('many at once, while namespaces come and go', async () => {
  const other = join(root, 'other');
  const pin = { dir: other, network: true, ipc: true, uts: true, hostname: 'a', sysctls: {}, ids: null };
  const pinned = thread.pin(pin).then(() => thread.unpin(other));
  const open = await Promise.all(
    Array.from({ length: 50 }, (_, index) => dial(thread, { netns, port: 81 + (index % 2) }, never)),
  );
  const answers = open.map((socket) => text(socket));
  for (const [index, socket] of open.entries()) socket.end(`${index}`);
  expect(await Promise.all(answers)).toEqual(open.map((_, index) => `${index}end`));
  await pinned;
});

test('without a namespace it dials in our own', async () => {
  const listener = createServer((socket: Socket) => socket.end('host')).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const unused = { openSocket: () => Promise.reject(new Error('not this')) };
  const socket = await dial(unused, { netns: null, port }, never);
  expect(await text(socket)).toBe('host');
  socket.destroy();
  listener.close();
  await once(listener, 'close');
  await expect(dial(unused, { netns: null, port }, never)).rejects.toThrow(`port ${port}`);
});
