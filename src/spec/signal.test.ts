import { expect, test } from 'vitest';
import { criSignal, signalNumber } from './signal.ts';

test.each([
  ['SIGTERM', 15],
  ['TERM', 15],
  ['term', 15],
  ['15', 15],
  ['64', 64],
  ['SIGCLD', 17],
  ['SIGRTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
  ['SIGNAL_SIGKILL', 9],
  ['SIGNAL_SIGRTMINPLUS15', 49],
  ['SIGNAL_SIGRTMAXMINUS14', 50],
])('%s is %i', (word, expected) => {
  expect(signalNumber(word)).toBe(expected);
});

test.each(['', '0', '65', '-9', '1.5', 'SIGNOPE', 'SIGRTMIN-1', 'SIGRTMAX+1', 'SIGRTMIN+31', 'toString'])(
  '"%s" is refused',
  (word) => {
    expect(() => signalNumber(word)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  },
);

test("the CRI's real-time signals run from 34 to 64 without a gap", () => {
  const up = Array.from({ length: 15 }, (_, i) => `SIGNAL_SIGRTMINPLUS${i + 1}`);
  const down = Array.from({ length: 14 }, (_, i) => `SIGNAL_SIGRTMAXMINUS${14 - i}`);
  const names = ['SIGNAL_SIGRTMIN', ...up, ...down, 'SIGNAL_SIGRTMAX'];
  expect(names.map(signalNumber)).toEqual(Array.from({ length: 31 }, (_, i) => 34 + i));
});

test.each([
  ['TERM', 'SIGNAL_SIGTERM'],
  ['17', 'SIGNAL_SIGCHLD'],
  ['SIGRTMIN', 'SIGNAL_SIGRTMIN'],
  ['SIGRTMIN+15', 'SIGNAL_SIGRTMINPLUS15'],
  ['SIGRTMIN+16', 'SIGNAL_SIGRTMAXMINUS14'],
  ['64', 'SIGNAL_SIGRTMAX'],
])("the CRI's name of %s is %s", (word, expected) => {
  expect(criSignal(word)).toBe(expected);
});

test("a signal of the C library's own threads has no name in the CRI", () => {
  expect(() => criSignal('33')).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
});
