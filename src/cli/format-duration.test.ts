import { expect, test } from 'vitest';
import { formatDuration } from './format-duration.ts';

test.each([
  [0, '0.00 ms'],
  [0.4213, '0.42 ms'],
  [9.996, '10.0 ms'],
  [71.23, '71.2 ms'],
  [99.96, '100 ms'],
  [999.4, '999 ms'],
  [999.5, '1.00 s'],
  [61_234, '61.2 s'],
  [119_499, '119 s'],
  [119_500, '2m00s'],
  [3_599_600, '1h00m'],
  [90_000_000, '25h00m'],
])('%d is %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
