import { expect, test } from 'vitest';
import { missingLabels, sourceLabel } from './distribution-source.ts';

test.each([
  ['docker.io', 'docker.io'],
  ['reg.test:5000', 'reg.test'],
  ['[::1]:5000', '::1'],
  ['[fd00::1]', 'fd00::1'],
])('a blob of %s is from %s', (host, name) => {
  expect(sourceLabel({ host, path: 'a/b' })).toEqual({
    [`containerd.io/distribution.source.${name}`]: 'a/b',
  });
});

const source = 'containerd.io/distribution.source.reg.test';

test.each([
  [{}, { a: '1', [source]: 'x' }, { a: '1', [source]: 'x' }],
  [{ a: '1', b: '2', [source]: 'x' }, { a: '1', [source]: 'x' }, {}],
  [{ a: '1' }, { a: '2' }, { a: '2' }],
  [{ [source]: 'b,c' }, { [source]: 'a' }, { [source]: 'a,b,c' }],
  [{ [source]: 'a,b' }, { [source]: 'b' }, {}],
])('with %j, of %j %j is missing', (has, wanted, missing) => {
  expect(missingLabels(has, wanted)).toEqual(missing);
});

test('a label keeps its length', () => {
  const known = Array.from({ length: 500 }, (_, at) => `team/app-${String(at).padStart(3, '0')}`);
  const { [source]: value = '' } = missingLabels({ [source]: known.join(',') }, { [source]: 'team/zzz' });
  expect(source.length + value.length).toBeLessThanOrEqual(4096);
  expect(value.endsWith(',team/zzz')).toBe(true);
});
