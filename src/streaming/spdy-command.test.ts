import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { RemoteStreams, Sessions, TerminalSize } from '../lib/streams.ts';
import type { StreamingServer } from './server.ts';
import {
  ALL_STREAMS,
  execUrl,
  OUT_ONLY,
  openSpdy,
  openStreams,
  readAll,
  startBench,
  TERMINAL,
} from './testing/bench.ts';

let server: StreamingServer | null = null;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = null;
});

const V = ['', 'channel.k8s.io', 'v2.channel.k8s.io', 'v3.channel.k8s.io', 'v4.channel.k8s.io'] as const;
const EVERY = ['error', 'stdin', 'stdout', 'stderr'] as const;
const NO_STDIN = ['error', 'stdout', 'stderr'] as const;

async function connectTo(
  exec: Sessions['exec'],
  version: string,
  wish: typeof OUT_ONLY | typeof ALL_STREAMS | typeof TERMINAL,
) {
  server = await startBench({ exec });
  return await openSpdy(execUrl(server, wish), version);
}

/** Says what came on stdin on stdout, a word on stderr, and exits. */
function echo(code: number): Sessions['exec'] {
  return async (_wish, { stdin, stdout, stderr }) => {
    stderr?.write('warned\n');
    if (stdin) for await (const chunk of stdin) stdout?.write(chunk);
    return code;
  };
}

test('the session gets the wish of the URL, and only the streams it names', async () => {
  const seen: { wish?: object; streams?: RemoteStreams } = {};
  const { client } = await connectTo(
    async (wish, streams) => {
      Object.assign(seen, { wish, streams });
      return 0;
    },
    V[4],
    TERMINAL,
  );
  await openStreams(client, ['error', 'stdin', 'stdout', 'resize']);
  await client.closed;
  expect(seen.wish).toEqual({ containerId: 'c1', cmd: ['true'], ...TERMINAL });
  expect(seen.streams).toMatchObject({ stderr: null });
  expect(seen.streams?.stdin).not.toBeNull();
});

test.each([V[2], V[3], V[4]])(
  '%s: stdin to its end, both outputs, the connection closed',
  async (version) => {
    const { client } = await connectTo(echo(0), version, ALL_STREAMS);
    const { error, stdin, stdout, stderr } = await openStreams(client, EVERY);
    const all = Promise.all([readAll(stdout), readAll(stderr), readAll(error)]);
    stdin.write('one ');
    stdin.end('two');
    const [out, err, status] = await all;
    expect([out, err]).toEqual(['one two', 'warned\n']);
    expect(status).toBe(version === V[4] ? '{"metadata":{},"status":"Success"}' : '');
    await client.closed;
  },
);

test.each([V[2], V[3]])('%s: an exit code is a sentence', async (version) => {
  const { client } = await connectTo(echo(42), version, OUT_ONLY);
  const { error, stderr } = await openStreams(client, NO_STDIN);
  expect(await Promise.all([readAll(stderr), readAll(error)])).toEqual([
    'warned\n',
    'command terminated with non-zero exit code: 42',
  ]);
});

test('v4: an exit code is the cause in a status', async () => {
  const { client } = await connectTo(echo(42), V[4], OUT_ONLY);
  const { error } = await openStreams(client, NO_STDIN);
  expect(JSON.parse(await readAll(error))).toMatchObject({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '42' }] },
  });
});

test.each([
  [V[2], /^Internal error occurred: no such file$/],
  [V[4], /"reason":"InternalError".*"message":"no such file"/],
])('%s: a failure of the session is told', async (version, pattern) => {
  const { client } = await connectTo(() => Promise.reject(new Error('no such file')), version, OUT_ONLY);
  const { error } = await openStreams(client, NO_STDIN);
  expect(await readAll(error)).toMatch(pattern);
});

test('version 1: outputs, a reset error stream, and stdin half closed by us at once', async () => {
  const { client, protocol } = await connectTo(echo(42), V[1], ALL_STREAMS);
  expect(protocol).toBe(V[1]);
  const { error, stdin, stdout, stderr } = await openStreams(client, EVERY);
  const outputs = Promise.all([readAll(stdout), readAll(stderr)]);
  expect(await readAll(stdin)).toBe('');
  if (!error.destroyed) await once(error, 'close');
  stdin.end('still heard');
  expect(await outputs).toEqual(['still heard', 'warned\n']);
  await client.closed;
});

test('streams may come in any order, and those not asked for are refused', async () => {
  const { client } = await connectTo(echo(0), V[4], OUT_ONLY);
  await expect(client.openStream({ streamtype: 'resize' })).rejects.toThrow('reset');
  await expect(client.openStream({ streamtype: 'stdin' })).rejects.toThrow('reset');
  await expect(client.openStream({})).rejects.toThrow('reset');
  const { stderr, stdout } = await openStreams(client, ['stderr', 'stdout']);
  await expect(client.openStream({ streamtype: 'stdout' })).rejects.toThrow('reset');
  const { error } = await openStreams(client, ['error']);
  expect(await Promise.all([readAll(stdout), readAll(stderr), readAll(error)])).toEqual([
    '',
    'warned\n',
    '{"metadata":{},"status":"Success"}',
  ]);
});

test.each([V[3], V[4]])(
  '%s: a size that came before the session is delivered, then the others',
  async (version) => {
    const sizes: TerminalSize[] = [];
    const enough = Promise.withResolvers<void>();
    const { client } = await connectTo(
      async (_wish, streams) => {
        streams.onResize((size) => {
          if (sizes.push(size) === 2) enough.resolve();
        });
        await enough.promise;
        return 0;
      },
      version,
      TERMINAL,
    );
    const { resize } = await openStreams(client, ['resize']);
    resize.write('{"Width":80,"Height":24}\n');
    await client.ping();
    const { error } = await openStreams(client, ['error', 'stdin', 'stdout']);
    resize.write('{"Width":132,"Height":43}\n');
    await readAll(error);
    expect(sizes).toEqual([
      { width: 80, height: 24 },
      { width: 132, height: 43 },
    ]);
  },
);

test('output written before the exit arrives before the status', async () => {
  const { client } = await connectTo(
    async (_wish, { stdout }) => {
      for (let i = 0; i < 64; i += 1) stdout?.write(Buffer.alloc(65_536, 'x'));
      return 3;
    },
    V[4],
    OUT_ONLY,
  );
  const { error, stdout } = await openStreams(client, NO_STDIN);
  let length = 0;
  let atStatus = 0;
  stdout.on('data', (chunk: Buffer) => (length += chunk.length));
  error.once('data', () => (atStatus = length));
  await readAll(stdout);
  await client.closed;
  expect(length).toBe(64 * 65_536);
  expect(atStatus).toBe(length);
});

test.each(['killed', 'closing in order'])('the signal fires when the client is gone: %s', async (how) => {
  const fired = Promise.withResolvers<unknown>();
  const { client, socket } = await connectTo(
    async (_wish, _streams, signal) => {
      signal.addEventListener('abort', () => fired.resolve(signal.reason));
      await fired.promise;
      return 137;
    },
    V[4],
    ALL_STREAMS,
  );
  await openStreams(client, EVERY);
  if (how === 'killed') socket.destroy();
  else socket.end();
  expect(await fired.promise).toMatchObject({ message: 'the client is gone' });
});

test('streams break when the client is gone', async () => {
  const broken = Promise.withResolvers<void>();
  const { client, socket } = await connectTo(
    async (_wish, { stdin, stdout }, signal) => {
      const ends = [stdin, stdout].map(
        (side) => new Promise<void>((resolve) => side?.once('close', resolve)),
      );
      await Promise.all([...ends, once(signal, 'abort')]);
      broken.resolve();
      return 0;
    },
    V[4],
    ALL_STREAMS,
  );
  await openStreams(client, EVERY);
  socket.destroy();
  await broken.promise;
});

test('a client that goes on sending to a process that has ended gets its status', async () => {
  const { client } = await connectTo(async () => 5, V[4], ALL_STREAMS);
  const { error, stdin } = await openStreams(client, EVERY);
  for (let i = 0; i < 32; i += 1) stdin.write(Buffer.alloc(65_536));
  expect(await readAll(error)).toContain('"5"');
});

test('a session in which nothing moves is ended', async () => {
  const fired = Promise.withResolvers<void>();
  const exec: Sessions['exec'] = async (_wish, _streams, signal) => {
    signal.addEventListener('abort', () => fired.resolve());
    await fired.promise;
    return 0;
  };
  server = await startBench({ exec }, { idleTimeoutMs: 50 });
  const { client } = await openSpdy(execUrl(server, OUT_ONLY), V[4]);
  await openStreams(client, NO_STDIN);
  await Promise.all([fired.promise, client.closed]);
});

test('attach ends with success when the container does', async () => {
  server = await startBench({
    attach: async (wish, { stdout }) => void stdout?.write(wish.containerId),
  });
  const { client } = await openSpdy(server.attachUrl({ containerId: 'c7', ...OUT_ONLY }), V[4]);
  const { stdout, error } = await openStreams(client, NO_STDIN);
  expect(await Promise.all([readAll(stdout), readAll(error)])).toEqual([
    'c7',
    '{"metadata":{},"status":"Success"}',
  ]);
});
