import { expect, test } from 'vitest';
import type { TerminalSize } from '../lib/streams.ts';
import { Resizes } from './resizes.ts';

function sizesOf(chunks: string[]): TerminalSize[] {
  const resizes = new Resizes();
  const seen: TerminalSize[] = [];
  resizes.listen((size) => seen.push(size));
  for (const chunk of chunks) resizes.write(Buffer.from(chunk));
  return seen;
}

test.each<[string, string[], [number, number][]]>([
  ['one line', ['{"Width":80,"Height":24}\n'], [[80, 24]]],
  ['no line end', ['{"Width":80,"Height":24}'], [[80, 24]]],
  [
    'two at once',
    ['{"Width":80,"Height":24}\n{"Width":100,"Height":50}\n'],
    [
      [80, 24],
      [100, 50],
    ],
  ],
  ['cut anywhere', ['{"Wid', 'th":8', '0,"Heigh', 't":24', '}'], [[80, 24]]],
  ['other order, case and spaces', ['{ "height" : 24 , "WIDTH" : 80 }'], [[80, 24]]],
  ['the largest', ['{"Width":65535,"Height":65535}'], [[65_535, 65_535]]],
  ['too large', ['{"Width":65536,"Height":1}'], []],
  ['zero', ['{"Width":0,"Height":24}'], []],
  ['negative', ['{"Width":-80,"Height":24}'], []],
  ['a fraction', ['{"Width":80.5,"Height":24}'], []],
  ['one side only', ['{"Width":80}'], []],
  ['rubbish, then a size', ['}}}{{"\u0000{"Width":80,"Height":24}'], [[80, 24]]],
])('%s', (_name, chunks, expected) => {
  expect(sizesOf(chunks)).toEqual(expected.map(([width, height]) => ({ width, height })));
});

test('the last size that came before is delivered to the listener', () => {
  const resizes = new Resizes();
  resizes.write(Buffer.from('{"Width":1,"Height":2}{"Width":3,"Height":4}'));
  const seen: TerminalSize[] = [];
  resizes.listen((size) => seen.push(size));
  expect(seen).toEqual([{ width: 3, height: 4 }]);
});

test('text without an end is not kept', () => {
  const resizes = new Resizes();
  const seen: TerminalSize[] = [];
  resizes.listen((size) => seen.push(size));
  for (let i = 0; i < 1_000; i += 1) resizes.write(Buffer.alloc(1_024, '{'));
  resizes.write(Buffer.from('{"Width":80,"Height":24}'));
  expect(seen).toEqual([{ width: 80, height: 24 }]);
});
