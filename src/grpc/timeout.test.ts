import { expect, it } from 'vitest';
import { formatTimeout, parseTimeout } from './timeout.ts';

it.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['3S', 3_000],
  ['99999999m', 99_999_999],
  ['500u', 0.5],
  ['1000000n', 1],
  ['123456789m', null],
  ['-1S', null],
  ['S', null],
  ['', null],
  [undefined, null],
])('%s is %s ms', (text, ms) => {
  expect(parseTimeout(text)).toBe(ms);
});

it.each([
  [0, '1m'],
  [1.2, '2m'],
  [120_000, '120000m'],
  [200_000_000, '200000S'],
])('%s ms is %s', (ms, text) => {
  expect(formatTimeout(ms)).toBe(text);
});
