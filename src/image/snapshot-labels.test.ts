import { expect, test } from 'vitest';
import { snapshotLabels } from './snapshot-labels.ts';

const layer = (name: string, annotations: Record<string, string> = {}) => ({
  digest: `sha256:${name}`,
  annotations,
});
const source = {
  reference: 'reg.test/app:1',
  manifest: 'sha256:m',
  layers: [layer('a'), layer('b', { 'containerd.io/snapshot/nydus-blob': 'true', other: 'x' }), layer('c')],
};

test('a layer is named with its image, and with those above it', () => {
  expect(snapshotLabels(source, 1)).toEqual({
    'containerd.io/snapshot/nydus-blob': 'true',
    'containerd.io/snapshot/cri.image-ref': 'reg.test/app:1',
    'containerd.io/snapshot/cri.manifest-digest': 'sha256:m',
    'containerd.io/snapshot/cri.layer-digest': 'sha256:b',
    'containerd.io/snapshot/cri.image-layers': 'sha256:b,sha256:c',
  });
});

test('what no registry has keeps what its builder wrote', () => {
  expect(snapshotLabels({ ...source, reference: null }, 1)).toEqual({
    'containerd.io/snapshot/nydus-blob': 'true',
  });
  expect(snapshotLabels({ ...source, reference: null }, 0)).toEqual({});
});

test('no label is longer than containerd takes', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const long = { 'containerd.io/snapshot/long': 'x'.repeat(5000) };
  const layers = Array.from({ length: 100 }, () => ({ digest, annotations: long }));
  const labels = snapshotLabels({ ...source, layers }, 0);
  expect(labels['containerd.io/snapshot/cri.image-layers']?.split(',')).toHaveLength(56);
  for (const [name, value] of Object.entries(labels)) {
    expect(name.length + value.length, name).toBeLessThanOrEqual(4096);
  }
});

test('an annotation cannot pass for one of ours', () => {
  const layers = [layer('a', { 'containerd.io/snapshot/cri.image-ref': 'evil.test/x' })];
  expect(snapshotLabels({ ...source, layers }, 0)).toMatchObject({
    'containerd.io/snapshot/cri.image-ref': 'reg.test/app:1',
  });
});
