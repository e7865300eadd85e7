import { expect, test } from 'vitest';

import { Framer } from './framer.ts';
import { timestamp } from './timestamp.ts';

const now = '2026-11-23T12:00:00.000000001Z';

/** The lines that come of these chunks and the end of the stream, without their timestamps. */
function framed(chunks: string[], maxLineBytes = 16_384): string[] {
  const framer = new Framer('stdout', maxLineBytes);
  const parts = chunks.map((chunk) => framer.frame(Buffer.from(chunk), now));
  const text = Buffer.concat([...parts, framer.finish(now)]).toString();
  return text.split(`${now} stdout `).slice(1);
}

test.each<[string[], string[]]>([
  [['a\nb\n'], ['F a\n', 'F b\n']],
  [['\n\n'], ['F \n', 'F \n']],
  [['a', 'b', '\n'], ['F ab\n']],
  [['a\r\n'], ['F a\r\n']],
  [['a\nrest'], ['F a\n', 'P rest\n']],
  [[''], []],
  [['a\n', ''], ['F a\n']],
])('%j', (chunks, lines) => {
  expect(framed(chunks)).toEqual(lines);
});

test.each<[string[], string[]]>([
  [['1234\n'], ['F 1234\n']],
  [['12345\n'], ['P 1234\n', 'F 5\n']],
  [['12345678\n'], ['P 1234\n', 'F 5678\n']],
  [['123456789\nx\n'], ['P 1234\n', 'P 5678\n', 'F 9\n', 'F x\n']],
  [['12', '34', '\n'], ['F 1234\n']],
  [
    ['12', '345', '6\n'],
    ['P 1234\n', 'F 56\n'],
  ],
  [['12345678'], ['P 1234\n', 'P 5678\n']],
])('at most four bytes a line: %j', (chunks, lines) => {
  expect(framed(chunks, 4)).toEqual(lines);
});

test('a line starts with the time and the stream, and bytes that are no UTF-8 pass', () => {
  const line = new Framer('stderr', 100).frame(Buffer.from([0xff, 0x00, 0x0a]), now);
  expect(line).toEqual(Buffer.concat([Buffer.from(`${now} stderr F `), Buffer.from([0xff, 0x00, 0x0a])]));
});

test('nothing is lost however the input is cut, and what was returned stays', () => {
  const text = Array.from({ length: 5000 }, (_, index) => 'x'.repeat((index * 37) % 90)).join('\n');
  for (const step of [1, 7, 64, 4096, text.length]) {
    const chunks = Array.from({ length: Math.ceil(text.length / step) }, (_, i) =>
      text.slice(i * step, (i + 1) * step),
    );
    const joined = framed(chunks, 50).map((line) => (line[0] === 'F' ? line.slice(2) : line.slice(2, -1)));
    expect(joined.join('')).toBe(text);
  }
});

test('many short lines outgrow the shared buffer', () => {
  const lines = framed(['\n'.repeat(30_000)]);
  expect([lines.length, new Set(lines)]).toEqual([30_000, new Set(['F \n'])]);
});

test('time has nine digits and goes forward', () => {
  const times = Array.from({ length: 1000 }, timestamp);
  expect(times.filter((time) => !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/.test(time))).toEqual([]);
  expect(Math.abs(Date.parse(times[0] ?? '') - Date.now())).toBeLessThan(60_000);
});
