import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { CallOptions, ClientReadableStream } from '@grpc/grpc-js';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { Call } from '../lib/call.ts';
import { Fault } from '../lib/fault.ts';
import type { Tree } from '../lib/trace.ts';
import { span, Tracer } from '../lib/trace.ts';
import type { ImageHandlers, RuntimeHandlers, Server } from './listen.ts';
import { listen } from './listen.ts';
import { cri } from './proto.ts';

const { Status, StopContainer, StreamContainers } = cri['runtime.v1.RuntimeService'];
const { ListImages } = cri['runtime.v1.ImageService'];

let dir: string;
let address: string;
let client: Client;
let servers: AsyncDisposableStack;
let lines: Record<string, unknown>[];
let tracer: Tracer;

beforeEach(() => {
  dir = mkdtempSync('/tmp/cristal-listen-');
  address = path.join(dir, 'cristal.sock');
  client = new Client(`unix:${address}`, credentials.createInsecure());
  servers = new AsyncDisposableStack();
  lines = [];
  tracer = new Tracer();
});
afterEach(async () => {
  client.close();
  await servers.disposeAsync();
  rmSync(dir, { recursive: true });
});

/** Serves the given handlers only: the rest would be missing at compile time in the daemon. */
async function serve(handlers: Partial<RuntimeHandlers & ImageHandlers>): Promise<Server> {
  const { ListImages: listImages, ...runtime } = handlers;
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const server = await listen({
    address,
    runtime: runtime as RuntimeHandlers,
    image: (listImages ? { ListImages: listImages } : {}) as ImageHandlers,
    log,
    tracer,
    targetOf: (request) => (request as { containerId?: string }).containerId ?? null,
  });
  servers.use(server);
  return server;
}

interface Caller<Req, Res> {
  path: string;
  requestSerialize: (request: Req) => Buffer;
  responseDeserialize: (bytes: Buffer) => Res;
}

function call<Req, Res>(
  method: Caller<Req, Res>,
  request: Req,
  { metadata = new Metadata(), ...options }: CallOptions & { metadata?: Metadata } = {},
): Promise<Res> {
  const { promise, resolve, reject } = Promise.withResolvers<Res>();
  const { path: rpc, requestSerialize, responseDeserialize } = method;
  const way = [rpc, requestSerialize, responseDeserialize] as const;
  client.makeUnaryRequest(...way, request, metadata, options, (error, response) => {
    if (error) reject(error);
    else resolve(response as Res);
  });
  return promise;
}

function stream(options: CallOptions = {}): ClientReadableStream<{ containers: { id: string }[] }> {
  const { path: rpc, requestSerialize, responseDeserialize } = StreamContainers;
  return client.makeServerStreamRequest(rpc, requestSerialize, responseDeserialize, {}, options);
}

const untilAborted = ({ signal }: Call): Promise<never> => {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason as Error));
  return promise;
};

function reachable(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = net.connect(address);
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

describe('unary', () => {
  test('both services answer', async () => {
    await serve({
      Status: () => ({ info: { a: 'b' } }),
      ListImages: async () => await Promise.resolve({ images: [{ id: 'i' }] }),
    });
    expect(await call(Status, {})).toMatchObject({ info: { a: 'b' } });
    expect(await call(ListImages, {})).toMatchObject({ images: [{ id: 'i' }] });
  });

  test('a handler that throws anything costs only its own call', async () => {
    await serve({
      Status: () => ({}),
      StopContainer: ({ containerId }) => {
        if (containerId === 'fault') throw new Fault('failed_precondition', 'is paused');
        throw new TypeError('x is null');
      },
    });
    await expect(call(StopContainer, { containerId: 'fault' })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'is paused',
    });
    await expect(call(StopContainer, { containerId: 'bug' })).rejects.toMatchObject({
      code: status.INTERNAL,
      details: 'x is null',
    });
    expect(await call(Status, {})).toBeTruthy();
  });

  test('what the handler gets: request with defaults, its own log, a live signal', async () => {
    const seen: unknown[] = [];
    await serve({
      StopContainer(request, { rpc, signal, log }) {
        log.info('working');
        seen.push(request, rpc, signal.aborted);
        return {};
      },
    });
    await call(StopContainer, { containerId: 'c' });
    expect(seen).toEqual([{ containerId: 'c', timeout: '0' }, 'StopContainer', false]);
    expect(lines).toMatchObject([
      { msg: 'working', rpc: 'StopContainer', containerId: 'c', trace: 1 },
      { msg: 'call done', level: 30, rpc: 'StopContainer', containerId: 'c', trace: 1 },
    ]);
  });

  it.each([
    ['Status', 'not_found', 20],
    ['Status', 'internal', 50],
    ['StopContainer', 'not_found', 50],
    ['StopContainer', 'unimplemented', 20],
  ] as const)('%s failing with %s is logged at level %s', async (rpc, code, level) => {
    const fail = (): never => {
      throw new Fault(code, 'no');
    };
    await serve({ [rpc]: fail });
    await expect(call({ Status, StopContainer }[rpc] as Caller<object, object>, {})).rejects.toThrow('no');
    expect(lines).toMatchObject([{ msg: 'call failed', level, rpc, code }]);
  });

  test('the deadline of the client fires the signal, as a time-out', async () => {
    const reason = Promise.withResolvers<unknown>();
    await serve({
      Status: async (_request, context) => {
        await untilAborted(context).catch(reason.resolve);
        return {};
      },
    });
    await expect(call(Status, {}, { deadline: Date.now() + 50 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    expect(await reason.promise).toMatchObject({ name: 'TimeoutError' });
  });

  test('the signal stays quiet after a call that ended well', async () => {
    let signal: AbortSignal | null = null;
    await serve({
      Status(_request, context) {
        signal = context.signal;
        return {};
      },
    });
    await call(Status, {});
    await call(Status, {});
    client.close();
    await servers.disposeAsync();
    expect(signal).toMatchObject({ aborted: false });
  });

  it.each([
    ['15 MiB pass', 15, null],
    ['17 MiB do not', 17, status.RESOURCE_EXHAUSTED],
  ])('a request of %s', async (_name, mib, code) => {
    await serve({ StopContainer: () => ({}) });
    const attempt = call(StopContainer, { containerId: 'x'.repeat(mib * 1024 * 1024) });
    if (code === null) expect(await attempt).toEqual({});
    else await expect(attempt).rejects.toMatchObject({ code });
  });
});

describe('traces', () => {
  test('have the call, what it is about and the trace of the client', async () => {
    const ended: Tree[] = [];
    tracer.add({ treeEnded: (tree) => ended.push(tree) });
    await serve({ StopContainer: () => ({}) });
    const metadata = new Metadata();
    metadata.set('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
    await call(StopContainer, { containerId: 'c1' }, { metadata });
    expect(ended).toMatchObject([
      {
        context: { spanId: '00f067aa0ba902b7', sampled: true },
        root: { kind: 'rpc', name: 'StopContainer', code: 'ok', attributes: { target: 'c1' } },
      },
    ]);
  });

  test('of a stream last as long as it flows, and are of its handler', async () => {
    const ended: Tree[] = [];
    const left = Promise.withResolvers<void>();
    tracer.add({ treeEnded: (tree) => ended.push(tree) });
    await serve({
      async *StreamContainers() {
        yield await span('store', 'look', () => ({ containers: [] }));
        await left.promise;
        throw new Fault('unavailable', 'no more');
      },
    });
    const attempt = (async () => {
      for await (const _ of stream()) {
        expect(tracer.running()).toHaveLength(1);
        left.resolve();
      }
    })();
    await expect(attempt).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(ended).toMatchObject([
      { quiet: true, root: { name: 'StreamContainers', code: 'unavailable', children: [{ name: 'look' }] } },
    ]);
    expect(tracer.running()).toEqual([]);
  });
});

describe('stream', () => {
  test('delivers all, in order, then ends', async () => {
    await serve({
      async *StreamContainers() {
        for (let i = 0; i < 100; i += 1) yield { containers: [{ id: String(i) }] };
      },
    });
    const seen: string[] = [];
    for await (const message of stream())
      seen.push((message as { containers: { id: string }[] }).containers[0]?.id ?? '');
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
  });

  test('does not run ahead of a client that reads nothing', async () => {
    let made = 0;
    const id = 'x'.repeat(100_000);
    await serve({
      async *StreamContainers() {
        for (; made < 1_000; made += 1) yield { containers: [{ id }] };
      },
    });
    const slow = stream();
    // grpc-js reads ahead without limit until its first message is taken, so take one.
    await new Promise((resolve) => slow.once('readable', resolve));
    let received = slow.read() === null ? 0 : 1;
    await expect.poll(() => made).toBeGreaterThan(0);
    let before = -1;
    await expect
      .poll(
        () => {
          const still = made === before;
          before = made;
          return still;
        },
        { interval: 100 },
      )
      .toBe(true);
    expect(made).toBeLessThan(200);
    for await (const _ of slow) received += 1;
    expect(received).toBe(1_000);
  });

  test('messages, then the error of the handler', async () => {
    await serve({
      async *StreamContainers() {
        yield { containers: [] };
        throw new Fault('unavailable', 'containerd is away');
      },
    });
    let received = 0;
    const attempt = (async () => {
      for await (const _ of stream()) received += 1;
    })();
    await expect(attempt).rejects.toMatchObject({ code: status.UNAVAILABLE, details: 'containerd is away' });
    expect(received).toBe(1);
  });

  test('a client that leaves ends the handler', async () => {
    const ended = Promise.withResolvers<unknown>();
    await serve({
      async *StreamContainers(_request, context) {
        yield { containers: [] };
        await untilAborted(context).catch(ended.resolve);
      },
    });
    const leaving = stream();
    leaving.on('error', () => {});
    await new Promise((resolve) => leaving.once('data', resolve));
    leaving.cancel();
    expect(await ended.promise).toMatchObject({ name: 'AbortError' });
  });
});

describe('socket', () => {
  test('is open to owner and group, and gone after closing, with nothing beside it', async () => {
    const server = await serve({});
    expect(statSync(address).mode & 0o777).toBe(0o660);
    expect(readdirSync(dir)).toEqual(['cristal.sock']);
    await server[Symbol.asyncDispose]();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('a live one is refused and left alone', async () => {
    await serve({ Status: () => ({}) });
    await expect(serve({})).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining(address) as string,
    });
    expect(await call(Status, {})).toBeTruthy();
  });

  test('one that a dead server left is replaced', async () => {
    const dead = net.createServer().listen(path.join(dir, 'other'));
    await new Promise((resolve) => dead.once('listening', resolve));
    renameSync(path.join(dir, 'other'), address); // so that closing does not unlink it
    await new Promise((resolve) => dead.close(resolve));
    expect(await reachable()).toBe(false);
    await serve({});
    expect(await reachable()).toBe(true);
  });

  test('a file of another kind is not touched', async () => {
    writeFileSync(address, 'precious');
    await expect(serve({})).rejects.toMatchObject({ code: 'failed_precondition' });
    expect(statSync(address).size).toBe(8);
  });

  test('closing leaves the socket of a later server', async () => {
    const first = await serve({});
    renameSync(address, path.join(dir, 'moved'));
    await serve({ Status: () => ({}) });
    await first[Symbol.asyncDispose]();
    expect(await reachable()).toBe(true);
  });

  test('draining lets the running call finish and takes no new one', async () => {
    const finish = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const server = await serve({
      Status: async () => {
        started.resolve();
        await finish.promise;
        return {};
      },
    });
    const running = call(Status, {});
    await started.promise;
    const drained = server.drain(5_000);
    await expect.poll(reachable).toBe(false);
    finish.resolve();
    expect(await running).toBeTruthy();
    client.close();
    await drained;
  });

  test('draining breaks off what takes too long', async () => {
    const started = Promise.withResolvers<void>();
    const server = await serve({
      Status: async (_request, context) => {
        started.resolve();
        return await untilAborted(context);
      },
    });
    const running = call(Status, {});
    running.catch(() => {});
    await started.promise;
    await server.drain(50);
    await expect(running).rejects.toMatchObject({
      code: expect.toBeOneOf([status.CANCELLED, status.UNAVAILABLE]) as number,
    });
  });
});
