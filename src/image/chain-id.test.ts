import { expect, test } from 'vitest';
import { chainIds } from './chain-id.ts';

const a = `sha256:${'a'.repeat(64)}`;
const b = `sha256:${'b'.repeat(64)}`;

test('nothing has no chain', () => {
  expect(chainIds([])).toEqual([]);
});

test('the lowest layer is its own chain, every other one depends on all below', () => {
  // The second value: printf '%s %s' $a $b | sha256sum
  expect(chainIds([a, b])).toEqual([
    a,
    'sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c',
  ]);
  expect(chainIds([a, b, a])[2]).not.toBe(chainIds([b, b, a])[2]);
  expect(chainIds([a, b, a]).slice(0, 2)).toEqual(chainIds([a, b]));
});
