import { expect, test } from 'vitest';
import { shimFrom } from './shims.ts';

test.each<[string, object | null]>([
  [
    '/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id ab -address /run/containerd/containerd.sock',
    { pid: 7, namespace: 'k8s.io', id: 'ab', address: '/run/containerd/containerd.sock' },
  ],
  ['containerd-shim-kata-v2 -id ab -namespace x', { pid: 7, namespace: 'x', id: 'ab', address: '' }],
  ['containerd-shim-runc-v2 -info', null],
  ['/usr/bin/containerd -address x', null],
  ['grep containerd-shim-runc-v2 -namespace k8s.io -id ab', null],
  ['', null],
])('%s', (command, shim) => {
  expect(shimFrom(7, command.split(' '))).toEqual(shim);
});
