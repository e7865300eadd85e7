import { expect, test } from 'vitest';
import { askedDevices, isDeviceName, isKind } from './names.ts';

test.each([
  ['vendor.com/gpu', true],
  ['v/c', true],
  ['vendor.com/net.fast-1', true],
  ['vendor.com', false],
  ['vendor.com/', false],
  ['/gpu', false],
  ['1vendor.com/gpu', false],
  ['vendor.com/gpu-', false],
  ['vendor.com/gpu/more', false],
  ['vendor com/gpu', false],
])('kind %s: %s', (kind, expected) => {
  expect(isKind(kind)).toBe(expected);
});

test.each([
  ['0', true],
  ['GPU-1:2.3_4', true],
  ['', false],
  ['-0', false],
  ['0-', false],
  ['a/b', false],
])('device name "%s": %s', (name, expected) => {
  expect(isDeviceName(name)).toBe(expected);
});

const named = (...names: string[]) => names.map((name) => ({ name }));

test('the devices of the field come first, then those of annotations by key, each once', () => {
  const annotations = { 'cdi.k8s.io/b': 'v/c=4', 'cdi.k8s.io/a': 'v/c=2,v/c=3', other: 'x' };
  expect(askedDevices({ CDIDevices: named('v/c=1', 'v/c=2'), annotations })).toEqual([
    'v/c=1',
    'v/c=2',
    'v/c=3',
    'v/c=4',
  ]);
});

test.each([
  ['no kind', { CDIDevices: named('gpu0'), annotations: {} }, /CDI_devices: "gpu0"/],
  ['no name', { CDIDevices: named('v/c='), annotations: {} }, /"v\/c="/],
  ['an empty one', { CDIDevices: [], annotations: { 'cdi.k8s.io/x': 'v/c=1,' } }, /cdi.k8s.io\/x: ""/],
])('%s is refused', (_, wish, message) => {
  expect(() => askedDevices(wish)).toThrow(message);
});
