import { expect, test } from 'vitest';
import { readOptions } from './options.ts';

const scenes = ['one', 'two', 'three'];

test('without options all is played in full', () => {
  const out = expect.stringMatching(/docs\/performance$/) as string;
  expect(readOptions([], scenes)).toEqual({ only: scenes, scale: 1, pods: [10, 60, 100, 300], out });
});

test('scenes keep their order, and numbers of pods ascend', () => {
  const args = ['--only', 'three,one', '--scale', '0.5', '--pods', '20,5', '--out', '/tmp/here'];
  expect(readOptions(args, scenes)).toEqual({
    only: ['one', 'three'],
    scale: 0.5,
    pods: [5, 20],
    out: '/tmp/here',
  });
});

test.each([
  [['--only', 'four'], '--only four: no such scene; there are one,two,three'],
  [['--scale', 'half'], '--scale half: not a number above 0'],
  [['--scale', '0'], '--scale 0: not a number above 0'],
  [['--pods', '10,many'], '--pods 10,many: not whole numbers above 0'],
  [['--pods', '-1'], /ambiguous/],
  [['60'], /Unexpected argument '60'/],
])('%j is refused', (args, message) => {
  expect(() => readOptions(args, scenes)).toThrow(message);
});
