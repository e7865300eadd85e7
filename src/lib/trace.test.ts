import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Fault } from './fault.ts';
import type { Span } from './trace.ts';
import { annotate, awaitBranch, branch, currentSpan, enterPhase, span, Tracer } from './trace.ts';

const CALL = { kind: 'rpc', name: 'Run' };

/** A tree as nested names, each with its code. */
function shape({ kind, name, code, children }: Span): unknown {
  const own = `${kind} ${name} ${code}`;
  return children === null ? own : [own, ...children.map(shape)];
}

describe('stages', () => {
  test('nest by the code that runs them, through awaits and side by side', async () => {
    const tracer = new Tracer();
    let root: Span | null = null;
    await tracer.run(CALL, async (own) => {
      root = own;
      await Promise.all([
        span('net', 'attach', async () => {
          await sleep(5);
          await span('cni', 'bridge ADD', () => sleep(1));
        }),
        span('file', 'write', () => sleep(1)),
      ]);
    });
    expect(shape(root as never)).toEqual([
      'rpc Run ok',
      ['net attach ok', 'cni bridge ADD ok'],
      'file write ok',
    ]);
  });

  test('take the time that they took, and answer what they answered', async () => {
    const tracer = new Tracer();
    const spans: Span[] = [];
    tracer.add({ spanEnded: (ended) => spans.push(ended) });
    expect(await tracer.run(CALL, () => span('a', 'b', () => sleep(20, 42)))).toBe(42);
    const [inner, outer] = spans as [Span, Span];
    expect(inner.end! - inner.start).toBeGreaterThanOrEqual(19);
    expect(outer.start).toBeLessThanOrEqual(inner.start);
    expect(outer.end).toBeGreaterThanOrEqual(inner.end!);
  });

  test('that fail say how, and so do those around them', async () => {
    const tracer = new Tracer();
    let root: Span | null = null;
    const failing = tracer.run(CALL, (own) => {
      root = own;
      return span('a', 'b', () => Promise.reject(new Fault('unavailable', 'gone')));
    });
    await expect(failing).rejects.toMatchObject({ code: 'unavailable', message: 'gone' });
    expect(shape(root as never)).toEqual(['rpc Run unavailable', 'a b unavailable']);
    expect(root).toMatchObject({ error: 'gone', children: [{ error: 'gone' }] });
  });

  test('cost nothing outside of a tree', async () => {
    expect(await span('a', 'b', (own) => own)).toBeNull();
    enterPhase('none');
    annotate('key', 'none');
    expect(currentSpan()).toBeNull();
    expect(branch('a', 'b', async () => 1).tree).toBeNull();
  });

  test('belong to the phase in which they begin, and it ends with the next one or with the tree', async () => {
    const tracer = new Tracer();
    let root: Span | null = null;
    const failing = tracer.run(CALL, async (own) => {
      root = own;
      enterPhase('first');
      await span('a', 'one', () => sleep(1));
      // A stage within a stage may be the one that tells.
      await span('a', 'two', async () => enterPhase('second'));
      await span('a', 'three', () => sleep(1));
      throw new Fault('aborted', 'no more');
    });
    await expect(failing).rejects.toThrow('no more');
    expect(shape(root as never)).toEqual([
      'rpc Run aborted',
      ['phase first ok', 'a one ok', 'a two ok'],
      ['phase second aborted', 'a three ok'],
    ]);
  });
});

describe('trees', () => {
  test('are known while they run, and told of when they end', async () => {
    const tracer = new Tracer();
    const ended: number[] = [];
    tracer.add({ treeEnded: (tree) => ended.push(tree.id) });
    const gate = Promise.withResolvers<void>();
    const first = tracer.run(CALL, () => gate.promise);
    await tracer.run(CALL, async () => annotate('pod', 'web'));
    expect(tracer.running().map(({ id }) => id)).toEqual([1]);
    expect(ended).toEqual([2]);
    gate.resolve();
    await first;
    expect(tracer.running()).toEqual([]);
    expect(ended).toEqual([2, 1]);
  });

  test('that outlive their caller are linked with it, both ways', async () => {
    const tracer = new Tracer();
    const gate = Promise.withResolvers<void>();
    const roots: Span[] = [];
    const left = tracer.run(CALL, async (root) => {
      roots.push(root);
      const { tree, result } = branch('operation', 'Run web', () => span('a', 'late', () => gate.promise));
      result.catch(() => {});
      await awaitBranch(tree, () => Promise.reject(new Fault('deadline_exceeded', 'too late')));
    });
    await expect(left).rejects.toThrow('too late');
    const [operation] = tracer.running();
    expect(operation?.root.name).toBe('Run web');
    expect(operation?.origin?.tree.root).toBe(roots[0]);
    expect(roots[0]?.children).toMatchObject([{ kind: 'wait', code: 'deadline_exceeded' }]);
    expect(roots[0]?.children?.[0]?.link).toBe(operation);
    gate.resolve();
    await sleep(1);
    expect(operation && shape(operation.root)).toEqual(['operation Run web ok', 'a late ok']);
  });

  test('keep no more than so many spans, and none that comes after their end', async () => {
    const tracer = new Tracer();
    let count = 0;
    tracer.add({ spanEnded: () => (count += 1) });
    let late: Promise<unknown> = Promise.resolve();
    const { tree, result } = tracer.begin(CALL, async () => {
      for (let n = 0; n < 1_200; n++) await span('a', 'b', () => null);
      late = sleep(5).then(() => span('a', 'late', () => null));
    });
    await result;
    await late;
    expect(tree?.root.children).toHaveLength(999);
    expect(tree?.dropped).toBe(202);
    expect(count).toBe(1_202);
  });
});
