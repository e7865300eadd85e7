import { expect, test } from 'vitest';
import { DICTIONARY, DICTIONARY_ID } from './dictionary.ts';

test('the dictionary is the one whose Adler-32 all SPDY/3 peers know', () => {
  let low = 1;
  let high = 0;
  for (const byte of DICTIONARY) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  expect(DICTIONARY.length).toBe(1423);
  expect(high * 65536 + low).toBe(DICTIONARY_ID);
});
