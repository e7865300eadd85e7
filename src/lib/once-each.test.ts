import { expect, test } from 'vitest';
import { onceEach } from './once-each.ts';

test('makes one thing of one object, whatever that is, and another of another', () => {
  let made = 0;
  const number = onceEach((_key: object) => {
    made += 1;
    return made === 1 ? undefined : made;
  });
  const [first, second] = [{}, {}];
  expect([number(first), number(second), number(first), number(second)]).toEqual([
    undefined,
    2,
    undefined,
    2,
  ]);
});

test('what could not be made is tried again', () => {
  let tries = 0;
  const flaky = onceEach(() => {
    tries += 1;
    if (tries === 1) throw new Error('not yet');
    return tries;
  });
  const key = {};
  expect(() => flaky(key)).toThrow('not yet');
  expect(flaky(key)).toBe(2);
});
