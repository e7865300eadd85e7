import { expect, test } from 'vitest';
import type { ProfileWish } from '../security-profile.ts';
import type { SeccompChoice } from './choice.ts';
import { seccompChoice } from './choice.ts';

const UNSET: ProfileWish = { kind: 'unset' };
const DEFAULT: ProfileWish = { kind: 'default' };
const MINE: ProfileWish = { kind: 'localhost', name: '/p/mine.json' };
const NONE: SeccompChoice = { kind: 'none' };
const terms = { privileged: false, unable: null, unset: 'unconfined' };
const unable = { ...terms, unable: 'this kernel cannot' };

test.each<[string, ProfileWish, Parameters<typeof seccompChoice>[1], SeccompChoice]>([
  ['nothing said', UNSET, terms, NONE],
  [
    'nothing said, where that means the default',
    UNSET,
    { ...terms, unset: 'runtime/default' },
    DEFAULT as SeccompChoice,
  ],
  [
    'nothing said, where that means a profile',
    UNSET,
    { ...terms, unset: 'localhost//p/node.json' },
    { kind: 'localhost', path: '/p/node.json' },
  ],
  ['the default', DEFAULT, terms, { kind: 'default' }],
  ['a profile', MINE, terms, { kind: 'localhost', path: '/p/mine.json' }],
  ['unconfined', { kind: 'unconfined' }, { ...terms, unset: 'runtime/default' }, NONE],
  ['privileged', DEFAULT, { ...terms, privileged: true }, NONE],
  ['privileged with a profile', MINE, { ...terms, privileged: true }, NONE],
  ['defaulted where there is none', UNSET, { ...unable, unset: 'runtime/default' }, NONE],
  ['unconfined where there is none', { kind: 'unconfined' }, unable, NONE],
])('%s', (_, wish, given, expected) => {
  expect(seccompChoice(wish, given)).toEqual(expected);
});

test.each<[string, ProfileWish, Parameters<typeof seccompChoice>[1], string, RegExp]>([
  ['the default where there is none', DEFAULT, unable, 'failed_precondition', /but this kernel cannot/],
  ['a profile where there is none', MINE, unable, 'failed_precondition', /but this kernel cannot/],
  [
    'half a path',
    { kind: 'localhost', name: 'mine.json' },
    terms,
    'invalid_argument',
    /"mine.json".*absolute/,
  ],
])('%s is refused', (_, wish, given, code, message) => {
  const call = () => seccompChoice(wish, given);
  expect(call).toThrow(expect.objectContaining({ code }));
  expect(call).toThrow(message);
});
