import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import type { Config } from '../../config/schema.ts';
import type { AttachWish, Sessions } from '../../lib/streams.ts';
import type { StreamingServer } from '../server.ts';
import { startStreaming } from '../server.ts';
import type { SpdyClient } from '../spdy/testing/client.ts';
import { connectSpdy } from '../spdy/testing/client.ts';

export const OUT_ONLY = { tty: false, stdin: false, stdout: true, stderr: true } as const;
export const ALL_STREAMS = { ...OUT_ONLY, stdin: true } as const;
export const TERMINAL = { tty: true, stdin: true, stdout: true, stderr: false } as const;

const CONFIG: Config['streaming'] = {
  address: '127.0.0.1',
  port: 0,
  idleTimeoutMs: 60_000,
  tls: 'off',
  tlsCertFile: '',
  tlsKeyFile: '',
  clientCaFile: '',
};

const missing = () => Promise.reject(new Error('not part of this test'));

/** A server whose sessions do what the test says; the rest fails. */
export function startBench(
  sessions: Partial<Sessions>,
  config: Partial<Config['streaming']> = {},
): Promise<StreamingServer> {
  return startStreaming({
    config: { ...CONFIG, ...config },
    sessions: { exec: missing, attach: missing, dial: missing, ...sessions },
    log: pino({ level: 'silent' }),
  });
}

export function execUrl(server: StreamingServer, wish: Omit<AttachWish, 'containerId'>): string {
  return server.execUrl({ containerId: 'c1', cmd: ['true'], ...wish });
}

/** What an HTTP server answers instead of an upgrade. */
export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** Sends one request with these headers and tells what came: a response, or the upgraded socket. */
export async function request(
  url: string,
  headers: http.OutgoingHttpHeaders,
  method = 'POST',
): Promise<
  { answer: Answer } | { answer: null; headers: http.IncomingHttpHeaders; socket: Duplex; head: Buffer }
> {
  const sent = http.request(url, { method, headers, agent: false });
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof request>>>();
  sent.on('error', reject);
  sent.on('upgrade', (response, socket, head) => {
    resolve({ answer: null, headers: response.headers, socket, head });
  });
  sent.on('response', (response) => {
    let body = '';
    response.on('data', (chunk: Buffer) => (body += chunk.toString()));
    response.on('end', () => {
      resolve({ answer: { status: response.statusCode ?? 0, headers: response.headers, body } });
    });
  });
  sent.end();
  return await promise;
}

export const spdyHeaders = (versions: string) => ({
  Connection: 'Upgrade',
  Upgrade: 'SPDY/3.1',
  'X-Stream-Protocol-Version': versions,
});

/** Upgrades as Kubernetes' SPDY clients do. Rejects with the answer if the server does not. */
export async function openSpdy(
  url: string,
  versions: string,
): Promise<{ client: SpdyClient; socket: Duplex; protocol: string }> {
  const result = await request(url, spdyHeaders(versions));
  if (result.answer) throw new Error(`${result.answer.status} ${result.answer.body}`);
  const { socket, head, headers } = result;
  const protocol = String(headers['x-stream-protocol-version']);
  return { client: connectSpdy(socket, { head }), socket, protocol };
}

/** Opens one stream for each type, in this order. */
export async function openStreams<T extends string>(
  client: SpdyClient,
  types: readonly T[],
): Promise<Record<T, Duplex>> {
  const streams = await Promise.all(types.map((streamtype) => client.openStream({ streamtype })));
  return Object.fromEntries(streams.map(({ duplex }, index) => [types[index], duplex])) as Record<T, Duplex>;
}

/** All that a stream has until its end. A stream that breaks rejects. */
export async function readAll(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await finished(stream, { writable: false });
  return Buffer.concat(chunks).toString();
}

/** What a WebSocket client got, until the server said goodbye. */
export interface Received {
  /** The texts of each channel, joined. */
  channels: string[];
  /** Channel by channel in the order of arrival, repetitions left out. */
  order: number[];
  code: number;
}

export async function openWebSocket(url: string, protocol: string): Promise<WebSocket> {
  const ws = new WebSocket(url.replace(/^http/, 'ws'), protocol === '' ? [] : [protocol]);
  ws.once('open', () => ws.pause()); // until somebody listens
  await once(ws, 'open');
  return ws;
}

/** Collects from an open connection until it ends. */
export async function receive(ws: WebSocket): Promise<Received> {
  const isText = ws.protocol.includes('base64');
  const received: Received = { channels: ['', '', '', '', ''], order: [], code: 0 };
  ws.on('message', (data: Buffer) => {
    const channel = (data[0] ?? 0) - (isText ? 0x30 : 0);
    const payload = data.subarray(1);
    const text = isText ? Buffer.from(payload.toString(), 'base64').toString() : payload.toString();
    received.channels[channel] += text;
    if (text !== '' && received.order.at(-1) !== channel) received.order.push(channel);
  });
  ws.resume();
  [received.code] = (await once(ws, 'close')) as [number];
  return received;
}

export function sendChannel(ws: WebSocket, channel: number, text: string): void {
  if (ws.protocol.includes('base64')) ws.send(`${channel}${Buffer.from(text).toString('base64')}`);
  else ws.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
}
