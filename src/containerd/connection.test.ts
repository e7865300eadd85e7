import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Metadata,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { Tracer } from '../lib/trace.ts';
import type { Connection } from './connection.ts';
import { connect } from './connection.ts';
import { createContainers } from './containers.ts';
import { createContent } from './content.ts';
import { createLeases } from './leases.ts';
import { api } from './proto.ts';

type Unary = (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) => void;
type Streaming = (call: ServerWritableStream<unknown, unknown>) => void;
type Duplex = (call: ServerDuplexStream<{ data: Buffer }, unknown>) => void;

const containers = api['containerd.services.containers.v1.Containers'];
const content = api['containerd.services.content.v1.Content'];
const leases = api['containerd.services.leases.v1.Leases'];
const log = pino({ level: 'silent' });

const endless: Streaming = (call) => void call.write({ data: Buffer.from('x') });

let dir: string;
let address: string;
let server: Server;
let connection: Connection;

beforeEach(() => {
  dir = mkdtempSync('/tmp/cristal-connection-');
  address = path.join(dir, 'c.sock');
  server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  connection = connect({ address, namespace: 'k8s.io', log });
});
afterEach(() => {
  connection[Symbol.dispose]();
  server.forceShutdown();
  rmSync(dir, { recursive: true });
});

function serveUnary(service: ServiceDefinition, rpc: string, handle: Unary): Promise<void> {
  return serve(service, { [rpc]: handle });
}

function serveStreaming(service: ServiceDefinition, rpc: string, handle: Streaming): Promise<void> {
  return serve(service, { [rpc]: handle });
}

function serveDuplex(service: ServiceDefinition, rpc: string, handle: Duplex): Promise<void> {
  return serve(service, { [rpc]: handle });
}

function serve(service: ServiceDefinition, handlers: UntypedServiceImplementation): Promise<void> {
  server.addService(service, handlers);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix:${address}`, ServerCredentials.createInsecure(), (error) => {
    if (error) reject(error);
    else resolve();
  });
  return promise;
}

describe('unary', () => {
  it.each([
    [status.NOT_FOUND, 'not_found', 'container "a" not found'],
    [status.ALREADY_EXISTS, 'already_exists', 'taken'],
    [status.FAILED_PRECONDITION, 'failed_precondition', 'is running'],
    [status.UNKNOWN, 'unknown', 'runc said no'],
  ])('status %s becomes a fault with code %s', async (code, faultCode, details) => {
    await serveUnary(containers, 'Get', (_call, reply) => reply({ code, details }));
    await expect(createContainers(connection).get('a')).rejects.toMatchObject({
      name: 'Fault',
      code: faultCode,
      message: details,
    });
  });

  test('nobody at the socket: unavailable, and the message names it', async () => {
    const attempt = createContainers(connection).get('a');
    await expect(attempt).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(address) as string,
    });
  });

  test('a server that comes later is found', async () => {
    await expect(createLeases(connection).list()).rejects.toMatchObject({ code: 'unavailable' });
    await serveUnary(leases, 'List', (_call, reply) => reply(null, { leases: [{ id: 'l' }] }));
    await expect.poll(() => createLeases(connection).list(), { timeout: 5_000 }).toMatchObject([{ id: 'l' }]);
  });

  test('the namespace and the lease travel as headers', async () => {
    const seen: Metadata[] = [];
    await serveUnary(leases, 'Create', (call, reply) => {
      seen.push(call.metadata);
      reply(null, {});
    });
    await createLeases(connection).create('a');
    await createLeases(connection).create('b', {}, { lease: 'mine' });
    expect(seen.map((metadata) => metadata.get('containerd-namespace'))).toEqual([['k8s.io'], ['k8s.io']]);
    expect(seen.map((metadata) => metadata.get('containerd-lease'))).toEqual([[], ['mine']]);
  });

  test('the signal cancels the call at the server', async () => {
    const cancelled = Promise.withResolvers<void>();
    const stop = new AbortController();
    await serveUnary(containers, 'Get', (call) => {
      call.on('cancelled', () => cancelled.resolve());
      stop.abort();
    });
    await expect(createContainers(connection).get('a', { signal: stop.signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    await cancelled.promise;
  });

  test('a signal that has fired makes no call, and its reason decides on the code', async () => {
    const late = AbortSignal.abort(new DOMException('too late', 'TimeoutError'));
    await expect(createContainers(connection).get('a', { signal: late })).rejects.toMatchObject({
      code: 'deadline_exceeded',
      message: expect.stringContaining('too late') as string,
    });
  });

  test('a call that cannot begin leaves no timer behind', async () => {
    connection[Symbol.dispose]();
    const options = { timeoutMs: 10, signal: AbortSignal.timeout(10) };
    await expect(createContainers(connection).get('a', options)).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(
      createContent(connection).writer({ ref: 'r', total: 0, expected: '' }, options),
    ).rejects.toThrow();
    await sleep(30); // what it would call does not exist, which would end the process
  });

  test('an error that is too long to be told costs its own call alone', async () => {
    const both = Promise.withResolvers<void>();
    await serveUnary(containers, 'Get', (call, reply) => {
      if ((call.request as { id: string }).id === 'long') {
        reply({ code: status.UNKNOWN, details: 'x'.repeat(100_000) });
        setTimeout(both.resolve, 50);
      } else void both.promise.then(() => reply(null, { container: { id: 'a' } }));
    });
    const long = createContainers(connection).get('long');
    const other = createContainers(connection).get('a');
    await expect(long).rejects.toMatchObject({ name: 'Fault' });
    expect(await other).toMatchObject({ id: 'a' });
  });

  test('timeoutMs is the deadline of the call', async () => {
    await serveUnary(containers, 'Get', () => {});
    await expect(createContainers(connection).get('a', { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
  });

  it.each([
    [15, 'passes'],
    [17, 'is refused'],
  ])('an answer of %s MiB %s', async (mib) => {
    const value = Buffer.alloc(mib * 1024 * 1024);
    await serveUnary(containers, 'Get', (_call, reply) =>
      reply(null, { container: { id: 'a', spec: { type_url: 'x', value } } }),
    );
    const attempt = createContainers(connection).get('a');
    if (mib < 16) expect((await attempt).spec?.value).toHaveLength(value.length);
    else await expect(attempt).rejects.toMatchObject({ code: 'resource_exhausted' });
  });
});

describe('server stream', () => {
  test('every message comes before the error', async () => {
    await serveStreaming(content, 'Read', (call) => {
      call.write({ data: Buffer.from('one') });
      call.write({ data: Buffer.from('two') });
      call.emit('error', { code: status.DATA_LOSS, details: 'the disk is gone' });
    });
    const seen: string[] = [];
    const attempt = (async () => {
      for await (const piece of createContent(connection).read('d')) seen.push(piece.toString());
    })();
    await expect(attempt).rejects.toMatchObject({ code: 'data_loss', message: 'the disk is gone' });
    expect(seen).toEqual(['one', 'two']);
  });

  test('leaving the loop cancels the call', async () => {
    const cancelled = Promise.withResolvers<void>();
    await serveStreaming(content, 'Read', (call) => {
      call.on('cancelled', () => cancelled.resolve());
      endless(call);
    });
    for await (const piece of createContent(connection).read('d')) {
      expect(piece.toString()).toBe('x');
      break;
    }
    await cancelled.promise;
  });

  test('the signal ends the loop with a fault', async () => {
    await serveStreaming(content, 'Read', endless);
    const stop = new AbortController();
    const attempt = (async () => {
      for await (const _ of createContent(connection).read('d', {}, { signal: stop.signal })) stop.abort();
    })();
    await expect(attempt).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('a server that dies ends the loop as unavailable', async () => {
    await serveStreaming(content, 'Read', endless);
    const attempt = (async () => {
      for await (const _ of createContent(connection).read('d')) server.forceShutdown();
    })();
    await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|cancelled/) });
  });
});

test('every kind of call is a stage of what runs, and says how it ended', async () => {
  await serve(content, {
    Info: (_call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) =>
      reply({ code: status.NOT_FOUND, details: 'no' }),
    Read: (call: ServerWritableStream<unknown, unknown>) => call.end(),
    Write: (call: ServerDuplexStream<unknown, unknown>) => {
      call.once('data', () => call.emit('error', { code: status.ABORTED, details: 'busy' }));
    },
  });
  const reading = createContent(connection);
  const { tree, result } = new Tracer().begin({ kind: 'rpc', name: 'Test' }, async () => {
    await reading.info('d');
    for await (const _ of reading.read('d')) expect.unreachable();
    await reading.writer({ ref: 'r', total: 0, expected: '' }).catch(() => {});
    await expect.poll(() => tree?.root.children?.at(-1)?.end).not.toBeNull();
  });
  await result;
  expect(tree?.root.children).toMatchObject([
    { kind: 'containerd', name: 'Content.Info', code: 'not_found' },
    { kind: 'containerd', name: 'Content.Read', code: 'ok' },
    { kind: 'containerd', name: 'Content.Write', code: 'aborted', error: 'busy' },
  ]);
});

describe('duplex', () => {
  test('an error of the server reaches the one who sends, and nobody hangs', async () => {
    await serveDuplex(content, 'Write', (call) => {
      call.once('data', () => call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'disk full' }));
    });
    const attempt = createContent(connection).writer({ ref: 'r', total: 0, expected: '' });
    await expect(attempt).rejects.toMatchObject({ code: 'resource_exhausted', message: 'disk full' });
  });

  test('a call that is over takes no more requests', async () => {
    await serveDuplex(content, 'Write', (call) => {
      call.emit('error', { code: status.ABORTED, details: 'no more: ü' });
    });
    const call = connection.duplex(content.Write);
    const responses = call.responses[Symbol.asyncIterator]();
    await expect(responses.next()).rejects.toMatchObject({ code: 'aborted', message: 'no more: ü' });
    call.send({});
    expect(await responses.next()).toEqual({ done: true, value: undefined });
  });

  test('the bytes arrive as they were, with the namespace and the lease', async () => {
    const received: Buffer[] = [];
    const seen: Metadata[] = [];
    await serveDuplex(content, 'Write', (call) => {
      seen.push(call.metadata);
      call.on('data', ({ data }: { data: Buffer }) => {
        received.push(data);
        call.write({});
      });
      call.on('end', () => call.end());
    });
    const blob = randomBytes(3_000_000);
    const writer = await createContent(connection).writer({
      ref: 'r',
      total: 0,
      expected: '',
      lease: 'mine',
    });
    const chunk = Buffer.alloc(70_001);
    for (let start = 0; start < blob.length; start += chunk.length) {
      blob.copy(chunk, 0, start);
      await writer.write(chunk.subarray(0, blob.length - start));
    }
    expect(writer.offset).toBe(blob.length);
    await writer.commit({});
    expect(Buffer.concat(received).equals(blob)).toBe(true);
    expect(seen.map((metadata) => metadata.get('containerd-namespace'))).toEqual([['k8s.io']]);
    expect(seen.map((metadata) => metadata.get('containerd-lease'))).toEqual([['mine']]);
  });

  test('nobody at the socket: unavailable, and the message names it', async () => {
    const attempt = createContent(connection).writer({ ref: 'r', total: 0, expected: '' });
    await expect(attempt).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(address) as string,
    });
  });

  test('a server that dies ends the responses as unavailable', async () => {
    await serveDuplex(content, 'Write', (call) => void call.once('data', () => server.forceShutdown()));
    const attempt = createContent(connection).writer({ ref: 'r', total: 0, expected: '' });
    await expect(attempt).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('the signal cancels the call, here and at the server', async () => {
    const cancelled = Promise.withResolvers<void>();
    const stop = new AbortController();
    await serveDuplex(content, 'Write', (call) => {
      call.on('cancelled', () => cancelled.resolve());
      call.once('data', () => stop.abort());
    });
    const options = { signal: stop.signal };
    const attempt = createContent(connection).writer({ ref: 'r', total: 0, expected: '' }, options);
    await expect(attempt).rejects.toMatchObject({ code: 'cancelled' });
    await cancelled.promise;
  });
});
