import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ContainerEventResponse__Output as Event } from '../../gen/runtime/v1/ContainerEventResponse.ts';
import { Tracer } from '../../lib/trace.ts';
import type { RuntimeHandlers } from '../../server/listen.ts';
import { listen } from '../../server/listen.ts';
import { cri } from '../../server/proto.ts';
import { createContainerStore } from '../../store/containers.ts';
import { createImageStore } from '../../store/images.ts';
import { createPaths } from '../../store/paths.ts';
import { createSandboxStore } from '../../store/sandboxes.ts';
import { container, sandbox } from '../fixtures.ts';
import type { Services } from '../services.ts';
import type { ContainerEvents } from './container-events.ts';
import { createContainerEvents } from './container-events.ts';
import { getContainerEvents } from './get-container-events.ts';

const nothing = { create: async () => {}, delete: async () => true };

let dir: string;
let lines: Record<string, unknown>[];
let stores: Pick<Services, 'sandboxes' | 'containers'>;
let events: ContainerEvents;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'cristal-events-'));
  lines = [];
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => void lines.push(JSON.parse(line) as never) },
  );
  const paths = createPaths({ root: dir, state: dir });
  stores = {
    sandboxes: createSandboxStore(nothing, paths),
    containers: createContainerStore(nothing, paths),
  };
  const images = { store: createImageStore({} as never, log, null) } as Services['images'];
  events = createContainerEvents({ ...stores, images, log });
});
afterEach(() => {
  events[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

/** All that is sent until nothing more comes for a moment. */
async function sent(): Promise<Event[]> {
  const got: Event[] = [];
  const quiet = AbortSignal.timeout(100);
  try {
    for await (const event of events.subscribe(quiet)) got.push(event as Event);
  } catch (error) {
    if (!quiet.aborted) throw error;
  }
  return got;
}

test('each event has the pod as it was at that moment', async () => {
  events.open();
  stores.sandboxes.put(sandbox());
  stores.containers.put(container({ state: 'created' }));
  stores.containers.update('c1', { state: 'running' });
  stores.containers.update('c1', { state: 'exited', exitCode: 3 });
  stores.sandboxes.update('pod1', { state: 'notready' });
  stores.containers.remove('c1');
  stores.sandboxes.remove('pod1');
  const got = await sent();
  const shown = got.map((event) => [
    event.containerId,
    event.containerEventType.replace(/^CONTAINER_(.*)_EVENT$/, '$1'),
    event.podSandboxStatus?.state,
    event.containersStatuses.map(({ state, exitCode }) => `${state} ${exitCode}`).join(),
  ]);
  expect(shown).toEqual([
    ['pod1', 'CREATED', 'SANDBOX_READY', ''],
    ['pod1', 'STARTED', 'SANDBOX_READY', ''],
    ['c1', 'CREATED', 'SANDBOX_READY', 'CONTAINER_CREATED 0'],
    ['c1', 'STARTED', 'SANDBOX_READY', 'CONTAINER_RUNNING 0'],
    ['c1', 'STOPPED', 'SANDBOX_READY', 'CONTAINER_EXITED 3'],
    ['pod1', 'STOPPED', 'SANDBOX_NOTREADY', 'CONTAINER_EXITED 3'],
    ['c1', 'DELETED', 'SANDBOX_NOTREADY', ''],
    ['pod1', 'DELETED', 'SANDBOX_NOTREADY', ''],
  ]);
  expect(got.every(({ podSandboxStatus }) => podSandboxStatus?.metadata?.uid === 'uid-1')).toBe(true);
});

test('no event is older than what it tells of, and those of different changes differ in time', async () => {
  events.open();
  const before = BigInt(Date.now()) * 1_000_000n;
  stores.sandboxes.put(sandbox());
  for (let count = 0; count < 10; count += 1)
    stores.containers.put(container({ id: `c${count}`, name: `${count}` }));
  const times = (await sent()).map(({ createdAt }) => BigInt(createdAt));
  expect(times[0]).toBeGreaterThan(before);
  expect(new Set(times.slice(1)).size).toBe(10 + 1);
  expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
});

test('what recovery finds out is sent when all is recovered, and what it only restores is not', async () => {
  stores.sandboxes.restore(sandbox());
  stores.sandboxes.update('pod1', { state: 'notready' });
  stores.containers.restore(container());
  stores.containers.restore(container({ id: 'c2', name: 'other' }));
  stores.containers.update('c1', { state: 'exited' });
  expect(await sent()).toEqual([]);
  events.open();
  const got = await sent();
  expect(got.map(({ containerId, containerEventType }) => [containerId, containerEventType])).toEqual([
    ['pod1', 'CONTAINER_STOPPED_EVENT'],
    ['c1', 'CONTAINER_STOPPED_EVENT'],
  ]);
  expect(got.every(({ containersStatuses }) => containersStatuses.length === 2)).toBe(true);
});

test('a client that does not read loses only its own events, and cancelling it ends the subscription', async () => {
  events.open();
  const log = pino({ level: 'silent' });
  const handlers = {
    GetContainerEvents: (request: object, call: never) =>
      getContainerEvents({ containerEvents: events }, request, call),
  };
  const address = path.join(dir, 'cri.sock');
  await using server = await listen({
    address,
    runtime: handlers as unknown as RuntimeHandlers,
    image: {} as never,
    tracer: new Tracer(),
    targetOf: () => null,
    log,
  });
  // A connection for each: streams of one connection share its flow control.
  const clients = [1, 2].map(
    () =>
      new Client(`unix:${address}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 }),
  );
  const { GetContainerEvents } = cri['runtime.v1.RuntimeService'];
  const [deaf, reading] = clients.map((client) =>
    client.makeServerStreamRequest(
      GetContainerEvents.path,
      GetContainerEvents.requestSerialize,
      GetContainerEvents.responseDeserialize,
      {},
    ),
  );
  if (!deaf || !reading) throw new Error('two clients were asked for');
  // grpc-js reads ahead without limit until its first message is taken.
  deaf.once('readable', () => deaf.read());
  const ended = new Promise((resolve) => deaf.once('error', resolve));
  const got: string[] = [];
  reading.on('data', (event: Event) => got.push(event.containerId));
  // Neither is subscribed before the server has heard of it.
  await sleep(200);

  const wide = { padding: 'x'.repeat(8_192) };
  stores.sandboxes.put(sandbox({ config: { ...sandbox().config, annotations: wide } }));
  const count = 2_500;
  for (let sendNext = 0; sendNext < count; sendNext += 1) {
    const id = `c${sendNext}`;
    stores.containers.put(container({ id, name: id }));
    stores.containers.remove(id);
    // No faster than the one who reads can.
    while (got.length < 2 * sendNext - 500) await sleep(1);
  }
  for (let waited = 0; got.length < 2 * count + 2 && waited < 5_000; waited += 20) await sleep(20);
  expect(got).toHaveLength(2 * count + 2);
  expect(events.lost).toBeGreaterThan(0);
  expect(lines.filter(({ msg }) => String(msg).includes('reads too slowly'))).toHaveLength(1);

  deaf.cancel();
  await ended;
  await sleep(50);
  const lost = events.lost;
  for (let more = 0; more < 50; more += 1)
    stores.containers.put(container({ id: `d${more}`, name: `d${more}` }));
  expect(events.lost).toBe(lost);

  const end = new Promise((resolve) => reading.once('end', () => resolve('ended well')));
  reading.once('error', () => {});
  events[Symbol.dispose]();
  expect(await end).toBe('ended well');
  await server.drain(1_000);
  for (const client of clients) client.close();
}, 20_000);
