import { expect, test } from 'vitest';
import { createPullProgress } from './progress.ts';
import { logLine } from './watch-pulls.ts';

function watched() {
  const clock = { ms: 0 };
  const progress = createPullProgress('a.test/b:1', () => clock.ms);
  progress.phase('fetch');
  progress.blobs([
    { digest: 'config', size: 100 },
    { digest: 'one', size: 1_000 },
    { digest: 'two', size: 50_000 },
  ]);
  return { clock, progress };
}

test('bytes that were there count as there, but not as downloaded', () => {
  const { clock, progress } = watched();
  progress.layer('config', { offset: 100, total: 100 });
  progress.layer('one', { offset: 400, total: 1_000 });
  clock.ms = 1_000;
  progress.layer('one', { offset: 1_000, total: 1_000 });
  const state = progress.state();
  expect(state).toMatchObject({ offset: 1_100, total: 51_100, downloaded: 600, rate: 600, ms: 1_000 });
  expect(state.layers.map(({ phase }) => phase)).toEqual(['fetched', 'fetched', 'wait']);
});

test('the rate is that of the last ten seconds', () => {
  const { clock, progress } = watched();
  progress.layer('two', { offset: 0, total: 50_000 });
  for (let second = 1; second <= 10; second++) {
    clock.ms += 1_000;
    progress.layer('two', { offset: second * 4_000, total: 50_000 });
  }
  expect(progress.state().rate).toBe(4_000);
  for (let second = 1; second <= 10; second++) {
    clock.ms += 1_000;
    progress.layer('two', { offset: 40_000 + second * 10, total: 50_000 });
  }
  expect(progress.state().rate).toBe(10);
});

test('a layer that the image has twice stays done', () => {
  const { progress } = watched();
  progress.layer('one', { offset: 1_000, total: 1_000 });
  progress.layerPhase('one', 'unpack');
  expect(progress.state().layers[1]?.phase).toBe('unpack');
  progress.layerPhase('one', 'done');
  progress.layer('one', { offset: 1_000, total: 1_000 });
  expect(progress.state().layers[1]?.phase).toBe('done');
});

test('the log line counts layers without the config', () => {
  const { progress } = watched();
  progress.layer('one', { offset: 1_000, total: 1_000 });
  progress.layerPhase('one', 'done');
  expect(logLine(progress.state())).toEqual({
    image: 'a.test/b:1',
    phase: 'fetch',
    bytes: 1_000,
    of: 51_100,
    rate: 0,
    layers: '1/2',
    ms: 0,
  });
});
