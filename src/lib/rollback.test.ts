import { expect, test } from 'vitest';
import { Fault } from './fault.ts';
import { Rollback } from './rollback.ts';

function recorder() {
  const done: string[] = [];
  const stuck: string[] = [];
  const undo = (name: string) => () => void done.push(name);
  const work = () => new Rollback((step, error) => void stuck.push(`${step}: ${String(error)}`));
  return { done, stuck, undo, work };
}

test('without a commit all undos run, the newest first', async () => {
  const { done, undo, work } = recorder();
  const failing = async () => {
    await using steps = work();
    steps.onFailure('first', undo('first'));
    steps.onFailure('second', undo('second'));
    throw new Error('step failed');
  };
  await expect(failing()).rejects.toThrow('step failed');
  expect(done).toEqual(['second', 'first']);
});

test('after a commit none runs', async () => {
  const { done, undo, work } = recorder();
  {
    await using steps = work();
    steps.onFailure('first', undo('first'));
    steps.commit();
  }
  expect(done).toEqual([]);
});

test('an undo that fails is told, and the older ones are left: it stands on them', async () => {
  const { done, stuck, undo, work } = recorder();
  {
    await using steps = work();
    steps.onFailure('first', undo('first'));
    steps.onFailure('second', () => {
      throw new Error('busy');
    });
    steps.onFailure('third', undo('third'));
  }
  expect(done).toEqual(['third']);
  expect(stuck).toEqual(['second: Error: busy']);
});

test('an undo whose service is away for a moment is tried again', async () => {
  const { done, stuck, undo, work } = recorder();
  let tries = 0;
  {
    await using steps = work();
    steps.onFailure('first', undo('first'));
    steps.onFailure('second', () => {
      tries += 1;
      if (tries < 3) throw new Fault('unavailable', 'restarting');
      done.push('second');
    });
  }
  expect(done).toEqual(['second', 'first']);
  expect(stuck).toEqual([]);
});

test('undos get a signal of their own', async () => {
  const signals: AbortSignal[] = [];
  {
    await using steps = new Rollback(() => {});
    steps.onFailure('step', (signal) => void signals.push(signal));
  }
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
});
