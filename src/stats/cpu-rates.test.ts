import { expect, test } from 'vitest';
import { CpuRates } from './cpu-rates.ts';

/** What each sample, given as [ms, ns], is answered with. */
function observed(samples: [number, bigint][]): (bigint | null)[] {
  const rates = new CpuRates();
  return samples.map(([atMs, usageNs]) => rates.observe('c', { atMs, usageNs }));
}

test.each<[string, [number, bigint][], (bigint | null)[]]>([
  ['the first sample has nothing to compare with', [[0, 5n]], [null]],
  [
    'a second is enough, less is not',
    [
      [0, 0n],
      [999, 1_000n],
    ],
    [null, null],
  ],
  [
    'half a core over two seconds',
    [
      [0, 0n],
      [2_000, 1_000_000_000n],
    ],
    [null, 500_000_000n],
  ],
  [
    'samples in quick succession still look back over a whole window',
    [
      [0, 0n],
      [1_000, 1_000_000_000n],
      [1_100, 1_000_000_000n],
      [1_500, 1_500_000_000n],
      [2_000, 2_000_000_000n],
    ],
    [null, 1_000_000_000n, 909_090_909n, 1_000_000_000n, 1_000_000_000n],
  ],
  [
    'a cgroup that was made anew begins again',
    [
      [0, 9_000n],
      [2_000, 10n],
      [4_000, 2_000_000_010n],
    ],
    [null, null, 1_000_000_000n],
  ],
])('%s', (_, samples, expected) => {
  expect(observed(samples)).toEqual(expected);
});

test('what is not kept is forgotten', () => {
  const rates = new CpuRates();
  for (const id of ['a', 'b']) rates.observe(id, { atMs: 0, usageNs: 0n });
  rates.keep(new Set(['a']));
  expect(rates.observe('a', { atMs: 1_000, usageNs: 1_000n })).toBe(1_000n);
  expect(rates.observe('b', { atMs: 1_000, usageNs: 1_000n })).toBeNull();
});
