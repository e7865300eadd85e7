import { expect, it } from 'vitest';

import { parseQuantity } from './quantity.ts';

it.each<[string, bigint]>([
  ['0', 0n],
  ['1000', 1000n],
  ['10k', 10_000n],
  ['10M', 10_000_000n],
  ['1.1k', 1_100n],
  ['0.1G', 100_000_000n],
  ['1Ki', 1024n],
  ['1.5Gi', 1_610_612_736n],
  ['1P', 1_000_000_000_000_000n],
  ['1Ei', 1_152_921_504_606_846_976n],
  ['2e6', 2_000_000n],
  ['2E3', 2_000n],
  ['1E', 1_000_000_000_000_000_000n],
  ['1500m', 2n],
  ['2000m', 2n],
  ['1n', 1n],
  ['.5k', 500n],
  ['5.', 5n],
  ['+3', 3n],
  ['-3M', -3_000_000n],
  ['12e-1', 2n],
])('%s is %s', (text, value) => {
  expect(parseQuantity(text)).toBe(value);
});

it.each(['', ' 1', '1 M', 'M', '.', '1mi', '1ki', '1KiB', '0x10', '1e', 'NaN', '1,5', '1e999'])(
  'refuses "%s"',
  (text) => {
    expect(() => parseQuantity(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  },
);
