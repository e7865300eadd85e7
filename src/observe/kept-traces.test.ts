import { afterEach, expect, test, vi } from 'vitest';
import { branch, Tracer } from '../lib/trace.ts';
import { findTree, KeptTraces } from './kept-traces.ts';
import { stuckOf, traceOf } from './views.ts';

function world(keep: { latest: number; slowest: number }) {
  const tracer = new Tracer();
  const kept = new KeptTraces(keep);
  tracer.add(kept);
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const call = (name: string, ms = 0, quiet = false) =>
    tracer.run({ kind: 'rpc', name, quiet }, () => {
      now += ms;
    });
  return { tracer, kept, call };
}

afterEach(() => void vi.restoreAllMocks());

const ids = (trees: { id: number }[]) => trees.map(({ id }) => id);

test('the latest are kept, newest first, whatever is only read in between', async () => {
  const { kept, call } = world({ latest: 2, slowest: 0 });
  expect(kept.latest()).toEqual([]);
  await call('Run');
  expect(ids(kept.latest())).toEqual([1]);
  await call('Run');
  await call('Run');
  for (let n = 0; n < 10; n++) await call('List', 0, true);
  expect(ids(kept.latest())).toEqual([13, 12, 3, 2]);
  expect(kept.slowest()).toEqual([]);
});

test('the slowest of each name stay when the latest go', async () => {
  const { tracer, kept, call } = world({ latest: 1, slowest: 2 });
  for (const ms of [30, 0, 15, 0]) await call('Run', ms);
  await call('Stop', 5);
  expect(ids(kept.slowest())).toEqual([1, 3, 5]);
  expect(findTree(1, tracer, kept)?.id).toBe(1);
  expect(findTree(2, tracer, kept)).toBeNull();
});

test('work that a call began is kept with it, and found by its own number', async () => {
  const { tracer, kept } = world({ latest: 5, slowest: 1 });
  await tracer.run({ kind: 'rpc', name: 'Run' }, async (root) => {
    const { tree, result } = branch('operation', 'Run', async () => {});
    root.link = tree;
    await result;
  });
  expect(ids(kept.latest())).toEqual([1]);
  expect(findTree(2, tracer, kept)?.root.kind).toBe('operation');
});

test('what runs tells its innermost stages', async () => {
  const { tracer } = world({ latest: 1, slowest: 1 });
  const gate = Promise.withResolvers<void>();
  const { result } = tracer.begin(
    { kind: 'rpc', name: 'Run', attributes: { target: 'shop/web' } },
    (root) => {
      root.begin('file', 'done').finish();
      root.phase('network');
      root.begin('cni', 'bridge ADD');
      root.begin('containerd', 'Containers.Create');
      return gate.promise;
    },
  );
  const [tree] = tracer.running();
  expect(tree && stuckOf(tree)).toMatchObject({
    id: 1,
    target: 'shop/web',
    code: null,
    stages: [{ path: ['network', 'cni bridge ADD'] }, { path: ['network', 'containerd Containers.Create'] }],
  });
  gate.resolve();
  await result;
});

test('a stage that outlasts its phase is where a call is, and a phase only if nothing else is', async () => {
  const { tracer } = world({ latest: 1, slowest: 1 });
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const caller = tracer.begin({ kind: 'rpc', name: 'Run' }, async (root) => {
    const { tree, result } = branch('operation', 'Run', async () => {
      begun.resolve();
      await gate.promise;
    });
    root.begin('wait', 'operation').link = tree;
    await result;
  });
  await begun.promise;
  const [call, work] = tracer.running();
  const paths = () => (call ? stuckOf(call).stages.map(({ path }) => path.join(' > ')) : []);
  expect(paths()).toEqual(['operation Run']);
  work?.root.phase('first');
  expect(paths()).toEqual(['operation Run > first']);
  const record = work?.root.begin('containerd', 'Create');
  work?.root.phase('second');
  expect(paths()).toEqual(['operation Run > first > containerd Create']);
  record?.finish();
  expect(paths()).toEqual(['operation Run > second']);
  gate.resolve();
  await caller.result;
});

test('work that waits for itself is shown all the same', async () => {
  const { tracer, kept } = world({ latest: 1, slowest: 1 });
  await tracer.run({ kind: 'rpc', name: 'Run' }, (root) => {
    root.link = root.tree;
  });
  const [tree] = kept.latest();
  expect(JSON.stringify(tree && traceOf(tree)).match(/"waitsFor"/g)).toHaveLength(5);
});
