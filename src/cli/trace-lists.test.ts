import { expect, test } from 'vitest';
import type { TraceSummary } from '../observe/views.ts';
import { renderStuck, renderTraces } from './trace-lists.ts';

const call = (id: number, name: string, more: Partial<TraceSummary> = {}): TraceSummary => ({
  id,
  kind: 'rpc',
  name,
  target: '',
  startedAt: '2026-11-23T14:03:22.123Z',
  ms: 1.25,
  code: 'ok',
  ...more,
});

test('the lists', () => {
  const run = call(7, 'RunPodSandbox', { target: 'shop/web', ms: 70, code: 'unavailable' });
  expect(renderTraces({ latest: [run, call(6, 'Version')], slowest: [run] })).toMatchInlineSnapshot(`
    "LATEST
    ID  CALL           TARGET    START                     TIME     CODE
    7   RunPodSandbox  shop/web  2026-11-23T14:03:22.123Z  70.0 ms  unavailable
    6   Version                  2026-11-23T14:03:22.123Z  1.25 ms  ok

    SLOWEST OF EACH KIND
    ID  CALL           TARGET    START                     TIME     CODE
    7   RunPodSandbox  shop/web  2026-11-23T14:03:22.123Z  70.0 ms  unavailable
    "
  `);
});

test('more than fits', () => {
  const latest = Array.from({ length: 33 }, (_, n) => call(n, 'Version'));
  const lines = renderTraces({ latest, slowest: [] }).split('\n');
  expect(lines.slice(-3)).toEqual([expect.stringMatching(/^29 /), '(3 more with --json)', '']);
});

test('what runs', () => {
  const stages = [
    { path: ['operation RunPodSandbox', 'CNI ADD', 'cni bridge ADD'], ms: 61_000 },
    { path: ['operation RunPodSandbox', 'containerd Containers.Create'], ms: 900 },
  ];
  const running = [
    { ...call(7, 'RunPodSandbox', { target: 'shop/web', ms: 62_000, code: null }), stages },
    { ...call(8, 'exec', { code: null, target: '0123456789abcdef'.repeat(4) }), stages: [] },
  ];
  expect(renderStuck(running)).toMatchInlineSnapshot(`
    "ID  CALL           TARGET        FOR      STAGE                                                   FOR
    7   RunPodSandbox  shop/web      62.0 s   operation RunPodSandbox › CNI ADD › cni bridge ADD      61.0 s
                                              operation RunPodSandbox › containerd Containers.Create  900 ms
    8   exec           0123456789ab  1.25 ms
    "
  `);
});

test('nothing', () => {
  expect(renderTraces({ latest: [], slowest: [] })).toBe('no calls yet\n');
  expect(renderStuck([])).toBe('nothing runs\n');
});
