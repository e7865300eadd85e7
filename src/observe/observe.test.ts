import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askDaemon } from '../cli/ask-daemon.ts';
import { defaultConfig } from '../config/schema.ts';
import { Tracer } from '../lib/trace.ts';
import type { ObserveOptions } from './observe.ts';
import { observe } from './observe.ts';

let dir = '';
let stack: AsyncDisposableStack;
let lines: string[];

beforeEach(() => {
  dir = mkdtempSync('/tmp/cristal-observe-');
  stack = new AsyncDisposableStack();
  lines = [];
});
afterEach(async () => {
  await stack.disposeAsync();
  rmSync(dir, { recursive: true });
});

function start(change: Partial<ObserveOptions>): Promise<void> {
  const none = { list: () => [] };
  const options = {
    ...defaultConfig(),
    version: '1',
    sandboxes: none,
    containers: none,
    pump: { written: async () => 0 },
    containerEvents: { lost: 0 },
    debugSocket: `${dir}/debug.sock`,
    tracer: new Tracer(),
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    facts: { hostname: 'node-1' },
    ...change,
  };
  return observe(options, stack);
}

test('the debug socket is served, or not', async () => {
  await start({ debugSocket: null });
  await expect(askDaemon(`${dir}/debug.sock`, '/stuck')).rejects.toMatchObject({ code: 'unavailable' });
  await start({});
  expect(await askDaemon(`${dir}/debug.sock`, '/stuck')).toEqual({ running: [] });
});

test('one that cannot be had ends the start only if somebody asked for it', async () => {
  const other = createServer().listen(`${dir}/debug.sock`);
  stack.defer(() => void other.close());
  await start({});
  expect(lines.join('')).toContain('cannot be served');
  const tracing = { ...defaultConfig().tracing, debugSocket: `${dir}/debug.sock` };
  await expect(start({ tracing })).rejects.toMatchObject({ code: 'failed_precondition' });
});

test.each(['127.0.0.1', '[::1]'])('metrics on %s', async (host) => {
  const free = createServer().listen(0, host.replaceAll(/[[\]]/g, ''));
  await new Promise((resolve) => free.once('listening', resolve));
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  await start({ metrics: { address: `${host}:${port}` } });
  const reply = await fetch(`http://${host}:${port}/metrics`);
  expect(await reply.text()).toContain('cristal_build_info{version="1"');
});
