import { expect, test } from 'vitest';
import { hasLabels } from './matches.ts';

const labels = { app: 'web', tier: 'front', empty: '' };

test.each([
  [{}, true],
  [{ app: 'web' }, true],
  [{ app: 'web', tier: 'front' }, true],
  [{ app: 'db' }, false],
  [{ app: 'web', zone: 'a' }, false],
  [{ empty: '' }, true],
  [{ absent: '' }, false],
])('selector %o: %s', (selector, fits) => {
  expect(hasLabels(labels, selector)).toBe(fits);
});
