import { expect, test } from 'vitest';
import { decodeJson, encodeJson } from './json.ts';

test('equal values give equal text, whatever the order of their keys', () => {
  expect(encodeJson({ b: 1, a: { d: [2], c: 3 } })).toBe(encodeJson({ a: { c: 3, d: [2] }, b: 1 }));
  expect(encodeJson({ a: [1, 2] })).not.toBe(encodeJson({ a: [2, 1] }));
});

test('bytes and nanoseconds survive', () => {
  const value = {
    env: [{ key: 'A', value: Buffer.from([0, 255]) }],
    at: 1_795_000_000_123_456_789n,
    no: null,
  };
  expect(decodeJson(encodeJson(value))).toEqual(value);
});

test('keys of a pod that look like our own marks stay what they are', () => {
  const labels = { $int: '5', $bytes: 'x', $$: 'y', plain: 'z' };
  expect(decodeJson(encodeJson({ labels }))).toEqual({ labels });
});
