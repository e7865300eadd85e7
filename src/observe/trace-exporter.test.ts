import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { span, Tracer } from '../lib/trace.ts';
import { TraceExporter } from './trace-exporter.ts';

type Answer = { status: number; body?: string } | 'hang';

let server: Server;
let endpoint = '';
/** What is answered to the next requests; then 200. */
let answers: Answer[];
/** Spans of each request. */
let received: number[];
let lines: { msg: string }[];

async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { resourceSpans } = (await json(request)) as {
    resourceSpans: { scopeSpans: { spans: object[] }[] }[];
  };
  received.push(resourceSpans[0]?.scopeSpans[0]?.spans.length ?? 0);
  const answer = answers.shift() ?? { status: 200, body: '{}' };
  if (answer !== 'hang') response.writeHead(answer.status).end(answer.body ?? '');
}

beforeEach(async () => {
  [answers, received, lines] = [[], [], []];
  server = createServer((request, response) => void collect(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

function start(): { tracer: Tracer; exporter: TraceExporter } {
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as { msg: string }) });
  const exporter = new TraceExporter({ endpoint, perMillion: 1_000_000, resource: {}, log });
  const tracer = new Tracer();
  tracer.add(exporter);
  return { tracer, exporter };
}

async function call(tracer: Tracer, spans: number): Promise<void> {
  await tracer.run({ kind: 'rpc', name: 'Run' }, async () => {
    for (let n = 1; n < spans; n++) await span('a', 'b', () => null);
  });
}

test('what waits is sent at the end', async () => {
  const { tracer, exporter } = start();
  await call(tracer, 3);
  await call(tracer, 2);
  await exporter[Symbol.asyncDispose]();
  expect(received).toEqual([5]);
  expect(exporter).toMatchObject({ exported: 5, dropped: 0 });
});

test('many are sent at once, in batches, one request after the other', async () => {
  const { tracer, exporter } = start();
  for (let n = 0; n < 13; n++) await call(tracer, 100);
  await expect.poll(() => received).toEqual([600, 600, 100]);
  await exporter[Symbol.asyncDispose]();
  expect(exporter).toMatchObject({ exported: 1_300, dropped: 0 });
});

test('a collector that is away is tried again, and the log tells of it once', async () => {
  answers = [{ status: 503 }, { status: 429 }];
  const { tracer, exporter } = start();
  await call(tracer, 600);
  await expect.poll(() => exporter.exported, { timeout: 8_000 }).toBe(600);
  expect(received).toEqual([600, 600, 600]);
  expect(lines.map(({ msg }) => msg)).toEqual(['traces cannot be exported', 'traces are exported again']);
  await exporter[Symbol.asyncDispose]();
});

test('what a collector refuses is dropped and counted, in whole or in part', async () => {
  answers = [{ status: 400 }, { status: 200, body: '{"partialSuccess":{"rejectedSpans":"2"}}' }];
  const { tracer, exporter } = start();
  await call(tracer, 600);
  await expect.poll(() => exporter.dropped).toBe(600);
  await call(tracer, 3);
  await exporter[Symbol.asyncDispose]();
  expect(exporter).toMatchObject({ exported: 1, dropped: 602 });
});

test('no more than so many wait: the rest is dropped and counted, and nobody waits', async () => {
  answers = ['hang'];
  const { tracer, exporter } = start();
  await call(tracer, 1_000);
  await expect.poll(() => received).toEqual([1_000]);
  const began = performance.now();
  for (let n = 0; n < 10; n++) await call(tracer, 1_000);
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(exporter.dropped).toBe(3_000);
  await exporter[Symbol.asyncDispose]();
  // The one that hung took all of the time there was.
  expect(exporter).toMatchObject({ exported: 0, dropped: 11_000 });
});

test('a collector that hangs holds up the end for three seconds at most', async () => {
  answers = ['hang'];
  const { tracer, exporter } = start();
  await call(tracer, 1);
  const began = performance.now();
  await exporter[Symbol.asyncDispose]();
  expect(performance.now() - began).toBeLessThan(4_000);
  expect(exporter).toMatchObject({ exported: 0, dropped: 1 });
});

test('one that was never there harms nobody', async () => {
  endpoint = 'http://127.0.0.1:1/v1/traces';
  const { tracer, exporter } = start();
  await call(tracer, 600);
  await sleep(50);
  expect(lines.map(({ msg }) => msg)).toEqual(['traces cannot be exported']);
  await exporter[Symbol.asyncDispose]();
  expect(exporter).toMatchObject({ exported: 0, dropped: 600 });
});
