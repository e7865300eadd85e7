import { beforeEach, expect, test } from 'vitest';
import { IndexById } from './index-by-id.ts';

interface Thing {
  id: string;
  name: string;
  state: string;
}

let index: IndexById<Thing>;

beforeEach(() => {
  index = new IndexById<Thing>('thing');
  index.put({ id: 'abc1', name: 'one', state: 'new' });
  index.put({ id: 'abd2', name: 'two', state: 'new' });
});

test.each([
  ['abc1', 'abc1'],
  ['abc', 'abc1'],
  ['abd', 'abd2'],
  ['x', undefined],
  ['abc12', undefined],
])('find %s gives %s', (asked, id) => {
  expect(index.find(asked)?.id).toBe(id);
});

test('an ambiguous prefix and an empty id are refused, a missing one is not found', () => {
  expect(() => index.find('ab')).toThrow(/thing id "ab" is ambiguous: abc1, abd2/);
  expect(() => index.find('')).toThrow(/thing id is required/);
  expect(() => index.mustFind('zz')).toThrow(/thing "zz" not found/);
});

test('an update replaces the value, and does not bring back what was removed', () => {
  const before = index.get('abc1');
  expect(index.update('abc1', { state: 'ready' })).toEqual({ id: 'abc1', name: 'one', state: 'ready' });
  expect(before?.state).toBe('new');
  index.remove('abc1');
  expect(index.update('abc1', { state: 'late' })).toBeNull();
  expect(index.byName('one')).toBeNull();
});

test('a name that a newer object took over stays with it', () => {
  index.put({ id: 'new3', name: 'one', state: 'new' });
  index.remove('abc1');
  expect(index.byName('one')?.id).toBe('new3');
});
