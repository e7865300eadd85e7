import { expect, test } from 'vitest';
import { Fault } from '../lib/fault.ts';
import type { Span, Tree } from '../lib/trace.ts';
import { awaitBranch, branch, span, Tracer } from '../lib/trace.ts';
import { encodeTrees } from './otlp.ts';
import { TraceIds } from './trace-ids.ts';

const CLIENT = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', sampled: true };

interface Encoded {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: object }[];
  links?: { traceId: string; spanId: string }[];
  status?: { code: number; message: string };
}

/** Runs a call, and answers what ended while it ran, encoded by fresh ids. */
async function encoded(
  act: (root: Span) => Promise<void>,
  context: typeof CLIENT | null,
): Promise<Encoded[]> {
  const tracer = new Tracer();
  const trees: Tree[] = [];
  tracer.add({ treeEnded: (tree) => trees.push(tree) });
  const attributes = { target: 'shop/web' };
  await tracer.run({ kind: 'rpc', name: 'RunPodSandbox', context, attributes }, act).catch(() => {});
  const text = encodeTrees(trees, new TraceIds(1_000_000), { 'service.name': 'cristal' });
  const { resourceSpans } = JSON.parse(text) as {
    resourceSpans: { resource: object; scopeSpans: { spans: Encoded[] }[] }[];
  };
  expect(resourceSpans[0]?.resource).toEqual({
    attributes: [{ key: 'service.name', value: { stringValue: 'cristal' } }],
  });
  return resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
}

const named = (spans: Encoded[], name: string) => spans.find((one) => one.name === name) as Encoded;

test('a call is a part of the trace of its client, and its stages are parts of it', async () => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const spans = await encoded(async () => {
    await span('cni', 'bridge ADD', (own) => {
      own?.set('bytes', 2 ** 53 - 1);
      own?.set('ratio', 0.5);
      own?.set('joined', true);
    });
    await span('containerd', 'Tasks.Create', () => Promise.reject(new Fault('unavailable', 'away')));
  }, CLIENT);
  const [root, cni, create] = spans as [Encoded, Encoded, Encoded];
  expect(root).toMatchObject({
    traceId: CLIENT.traceId,
    parentSpanId: CLIENT.spanId,
    name: 'RunPodSandbox',
    kind: 2,
    status: { code: 2, message: 'away' },
  });
  expect(root.attributes).toContainEqual({ key: 'target', value: { stringValue: 'shop/web' } });
  expect(root.attributes).toContainEqual({
    key: 'rpc.response.status_code',
    value: { stringValue: 'UNAVAILABLE' },
  });
  expect(cni).toMatchObject({
    traceId: CLIENT.traceId,
    parentSpanId: root.spanId,
    name: 'cni bridge ADD',
    kind: 1,
  });
  expect(cni).not.toHaveProperty('status');
  expect(cni.attributes).toEqual(
    expect.arrayContaining([
      { key: 'bytes', value: { intValue: '9007199254740991' } },
      { key: 'ratio', value: { doubleValue: 0.5 } },
      { key: 'joined', value: { boolValue: true } },
    ]),
  );
  expect(create).toMatchObject({ parentSpanId: root.spanId, kind: 3, status: { code: 2, message: 'away' } });
  for (const { spanId, startTimeUnixNano: start, endTimeUnixNano: end } of spans) {
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(BigInt(start) >= before - 1_000_000n).toBe(true);
    expect(BigInt(end) >= BigInt(start)).toBe(true);
    expect(BigInt(end) - before < 60_000_000_000n).toBe(true);
  }
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(3);
});

test('work that a call began is in the same trace, and who waits for it has a link', async () => {
  const spans = await encoded(async () => {
    const { tree, result } = branch('operation', 'RunPodSandbox', () =>
      span('cni', 'bridge ADD', async () => {}),
    );
    await awaitBranch(tree, () => result);
  }, null);
  const root = named(spans, 'RunPodSandbox');
  const work = named(spans, 'operation RunPodSandbox');
  expect(root).not.toHaveProperty('parentSpanId');
  expect(root.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(work).toMatchObject({ traceId: root.traceId, parentSpanId: root.spanId });
  expect(named(spans, 'wait operation').links).toEqual([{ traceId: work.traceId, spanId: work.spanId }]);
  expect(named(spans, 'cni bridge ADD')).toMatchObject({ parentSpanId: work.spanId });
});

test('a stage that its call did not wait for ends with it', async () => {
  const spans = await encoded(async (root) => void root.begin('file', 'write'), null);
  expect(named(spans, 'file write').endTimeUnixNano).toBe(named(spans, 'RunPodSandbox').endTimeUnixNano);
});

test.each<[string, number, typeof CLIENT | null, boolean]>([
  ['its client is, whatever we would', 0, CLIENT, true],
  ['not if its client is not', 1_000_000, { ...CLIENT, sampled: false }, false],
  ['all of them', 1_000_000, null, true],
  ['none of them', 0, null, false],
])('a trace is exported if %s', async (_name, perMillion, context, expected) => {
  const tracer = new Tracer();
  const sampled: boolean[] = [];
  const ids = new TraceIds(perMillion);
  tracer.add({ treeEnded: (tree) => sampled.push(ids.isSampled(tree)) });
  await tracer.run(
    { kind: 'rpc', name: 'Run', context },
    () => branch('operation', 'Run', async () => {}).result,
  );
  expect(sampled).toEqual([expected, expected]);
});

test('about as many of those that no client began as is said', () => {
  const ids = new TraceIds(250_000);
  const tracer = new Tracer();
  const trees = Array.from(
    { length: 4_000 },
    () => tracer.begin({ kind: 'rpc', name: 'Run' }, () => null).tree,
  );
  const sampled = trees.filter((tree) => tree && ids.isSampled(tree)).length;
  expect(sampled).toBeGreaterThan(800);
  expect(sampled).toBeLessThan(1_200);
});
