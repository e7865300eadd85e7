import { expect, test } from 'vitest';
import type { SpanView, TraceView } from '../observe/views.ts';
import { renderWaterfall } from './waterfall.ts';

const stage = (
  kind: string,
  name: string,
  start: number,
  ms: number,
  more: Partial<SpanView> = {},
): SpanView => ({
  kind,
  name,
  start,
  ms,
  code: 'ok',
  ...more,
});

const trace = (root: SpanView, more: Partial<TraceView> = {}): TraceView => ({
  id: 42,
  kind: root.kind,
  name: root.name,
  target: 'shop/web',
  startedAt: '2026-11-23T14:03:22.123Z',
  ms: root.ms,
  code: root.code,
  dropped: 0,
  root,
  ...more,
});

const sandbox = stage('rpc', 'RunPodSandbox', 0, 71.2, {
  attributes: { target: 'shop/web' },
  children: [
    stage('wait', 'operation', 0.2, 71, {
      waitsFor: stage('operation', 'RunPodSandbox', 0.1, 70.9, {
        attributes: { of: 'RunPodSandbox shop/web' },
        children: [
          stage('phase', 'write intent', 0.2, 0.8),
          stage('phase', 'record, files, namespaces and network', 1, 70, {
            children: [
              stage('containerd', 'Containers.Create', 1.1, 12),
              stage('namespaces', 'pin', 1.2, 1.4),
              stage('cni', 'bridge ADD', 4, 50, { attributes: { network: 'pods' } }),
              stage('cni', 'portmap ADD', 54, 16),
            ],
          }),
        ],
      }),
    }),
  ],
});

const pull = stage('rpc', 'PullImage', 0, 5_000, {
  code: 'deadline_exceeded',
  error: 'too late',
  attributes: { target: 'busybox:1' },
  children: [
    stage('wait', 'pull', 0, 5_000, {
      code: 'deadline_exceeded',
      error: 'too late',
      // Another call had begun it.
      waitsFor: stage('pull', 'pull', -5_000, 15_000, {
        code: null,
        children: [
          stage('layer', 'fetch', -4_000, 14_000, {
            code: null,
            attributes: { digest: `sha256:${'0123456789abcdef'.repeat(4)}` },
          }),
          stage('layer', 'fetch', -4_000, 2_000, { attributes: { bytes: 12_345_678 } }),
        ],
      }),
    }),
  ],
});

const failed = (message: string) => ({ code: 'unavailable' as const, error: message });

const refused = stage('rpc', 'RunPodSandbox', 0, 10, {
  ...failed('CNI ADD of network pods: plugin bridge: no room'),
  children: [
    stage('containerd', 'Snapshots.Stat', 0, 1, { code: 'not_found', error: 'snapshot a' }),
    stage('phase', 'CNI ADD', 1, 9, {
      ...failed('CNI ADD of network pods: plugin bridge: no room'),
      children: [stage('cni', 'bridge ADD', 1, 9, failed('CNI ADD of network pods: plugin bridge: no room'))],
    }),
  ],
});

test.each<[string, TraceView, { width: number; colours: boolean }]>([
  ['a pod', trace(sandbox), { width: 100, colours: false }],
  ['a pod on a narrow screen', trace(sandbox), { width: 50, colours: false }],
  [
    'a joined pull that goes on',
    trace(pull, { dropped: 3, target: 'busybox:1' }),
    { width: 100, colours: false },
  ],
  [
    'one stage that took no time',
    trace(stage('rpc', 'Version', 0, 0), { target: '' }),
    { width: 60, colours: false },
  ],
  ['an error is told by the stage that it comes from', trace(refused), { width: 80, colours: false }],
  ['colours', trace(pull), { width: 80, colours: true }],
])('%s', (_name, view, screen) => {
  expect(`\n${renderWaterfall(view, screen)}`).toMatchSnapshot();
});
