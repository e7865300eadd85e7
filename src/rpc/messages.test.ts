import { expect, test } from 'vitest';
import { cri } from '../server/proto.ts';
import { toContainerStats } from '../stats/cri-stats.ts';
import { fullReading, fullSource } from '../stats/fixtures.ts';
import { metricsOf } from '../stats/metrics/table.ts';
import { toListed as toListedContainer } from './container/status.ts';
import { container, sandbox } from './fixtures.ts';
import { messagesOf } from './messages.ts';
import { toListed } from './sandbox/status.ts';

const item = (length: number) => ({ a: 'x'.repeat(length) });
/** Of `{"a":""}`. */
const AROUND = 8;

test.each<[string, number[], number[]]>([
  ['nothing', [], []],
  ['what fits', [1, 1, 1], [3]],
  ['more items than one message may have', [1, 1, 1, 1, 1, 1, 1], [3, 3, 1]],
  ['more bytes than one message may have', [60 - AROUND, 40 - AROUND, 1], [2, 1]],
  ['one that is too large alone, between others', [1, 500, 1], [1, 1, 1]],
])('%s', async (_, lengths, pieces) => {
  const made = await Array.fromAsync(messagesOf(lengths.map(item), { items: 3, bytes: 100 }));
  expect(made.map((piece) => piece.length)).toEqual(pieces);
  expect(made.flat()).toEqual(lengths.map(item));
});

const services = cri['runtime.v1.RuntimeService'];
const labels = Object.fromEntries(
  Array.from({ length: 30 }, (_, key) => [`example.com/${key}`, 'ü'.repeat(63)]),
);
const pods = Array.from({ length: 10_000 }, (_, id) => {
  const made = sandbox({ id: `pod-${id}` });
  return { ...made, config: { ...made.config, labels } };
});

test('ten thousand pods and containers with long labels stay far below the limit of a message', async () => {
  const podMessages = (await Array.fromAsync(messagesOf(pods.map(toListed)))).map((podSandboxes) =>
    services.StreamPodSandboxes.responseSerialize({ podSandboxes }),
  );
  const containers = pods.map(({ id, config }) =>
    container({ id: `c-${id}`, sandboxId: id, config: { ...container().config, labels: config.labels } }),
  );
  const containerMessages = (await Array.fromAsync(messagesOf(containers.map(toListedContainer)))).map(
    (piece) => services.StreamContainers.responseSerialize({ containers: piece }),
  );
  for (const messages of [podMessages, containerMessages]) {
    expect(messages.length).toBeGreaterThan(10);
    expect(Math.max(...messages.map((message) => message.length))).toBeLessThan(1024 * 1024);
  }
});

// A million metrics are encoded, which takes a busy machine its time.
test('so do the figures and metrics of ten thousand containers', { timeout: 60_000 }, async () => {
  const layer = { at: 1n, mountpoint: '/var/lib/snapshots', bytes: 2 ** 50, inodes: 2 ** 50 };
  const base = { container: 'c', id: '/kubepods/pod', image: 'i', name: 'n', namespace: 'ns', pod: 'p' };
  const stats = toContainerStats(container(), fullReading(), layer);
  const metrics = metricsOf(fullSource(), base);
  const ofPod = { podSandboxId: 'p', metrics, containerMetrics: [{ containerId: 'c', metrics }] };
  const messages = [
    ...(await Array.fromAsync(messagesOf(manyOf(stats)), (containerStats) =>
      services.StreamContainerStats.responseSerialize({ containerStats }),
    )),
    ...(await Array.fromAsync(messagesOf(manyOf(ofPod)), (podSandboxMetrics) =>
      services.StreamPodSandboxMetrics.responseSerialize({ podSandboxMetrics }),
    )),
  ];
  expect(messages.length).toBeGreaterThan(20);
  expect(Math.max(...messages.map((message) => message.length))).toBeLessThan(1024 * 1024);
});

function manyOf<T>(one: T): T[] {
  return Array.from({ length: 10_000 }, () => one);
}
