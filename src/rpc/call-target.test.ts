import { expect, test } from 'vitest';
import { nameFrom, targetOf } from './call-target.ts';

const pod = { metadata: { name: 'web', namespace: 'shop' } };
const known = {
  sandboxes: { get: (id: string) => (id === 'p1' ? { config: pod } : null) },
  containers: {
    get: (id: string) =>
      id === 'c1' || id === 'c2'
        ? { config: { metadata: { name: 'nginx' } }, sandboxId: id === 'c1' ? 'p1' : 'p0123456789abcdef' }
        : null,
  },
};

test.each<[string, object, string | null]>([
  ['RunPodSandbox', { config: pod, runtimeHandler: '' }, 'shop/web'],
  [
    'CreateContainer',
    { podSandboxId: 'p1', config: { metadata: { name: 'nginx' } }, sandboxConfig: pod },
    'shop/web/nginx',
  ],
  ['StopPodSandbox', { podSandboxId: 'p1' }, 'shop/web'],
  ['StartContainer', { containerId: 'c1' }, 'shop/web/nginx'],
  ['a container whose pod is gone', { containerId: 'c2' }, 'p0123456789ab/nginx'],
  ['an id that is not known', { containerId: '0123456789abcdef' }, '0123456789abc'],
  ['PullImage', { image: { image: 'busybox:1' }, auth: null, sandboxConfig: pod }, 'busybox:1'],
  ['a list', { filter: null }, null],
  ['a config without metadata', { config: null }, null],
])('%s', (_name, request, expected) => {
  expect(targetOf(request, nameFrom(known))).toBe(expected);
});
