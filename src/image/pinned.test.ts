import { expect, it } from 'vitest';
import { pinnedBy } from './pinned.ts';

const digest = `sha256:${'a'.repeat(64)}`;

it.each([
  ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10', true],
  ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10.1', false],
  ['registry.k8s.io/pause:*', 'registry.k8s.io/pause:3.10.1', true],
  ['registry.k8s.io/*', 'registry.k8s.io/etcd:1', true],
  ['registry.k8s.io/pause*', 'evil.test/registry.k8s.io/pause:1', false],
  ['busybox', 'docker.io/library/busybox:latest', true],
  ['busybox', 'docker.io/library/busybox:1', false],
  ['busybox:*', 'docker.io/library/busybox:1', true],
  ['library/busybox:*', 'docker.io/library/busybox:1', true],
  ['docker.io/library/*', 'docker.io/library/busybox:1', true],
  ['calico/*', 'docker.io/calico/node:v3', true],
  ['calico/*', 'quay.io/calico/node:v3', false],
  [`a.test/b:1@${digest}`, `a.test/b@${digest}`, true],
  [digest, digest, true],
  ['*', 'anything.test/x:1', true],
])('%s pins %s: %s', (pattern, name, expected) => {
  expect(pinnedBy([pattern])(name)).toBe(expected);
});

it('pins nothing without patterns', () => {
  expect(pinnedBy([])('a.test/b:1')).toBe(false);
});
