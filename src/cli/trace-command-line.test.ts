import { expect, test } from 'vitest';
import { defaultConfig } from '../config/schema.ts';
import { parseCommand } from './command.ts';

const list = { kind: 'trace', what: 'list', rpc: null, json: false };

test.each([
  [[], list],
  [['--rpc', 'PullImage', '--json'], { ...list, rpc: 'PullImage', json: true }],
  [['--stuck'], { ...list, what: 'stuck' }],
  [['12'], { ...list, what: 12 }],
])('trace %j', (words, expected) => {
  expect(parseCommand(['trace', ...words])).toMatchObject({ ...expected, config: defaultConfig() });
});

test.each([
  [['trace', '1', '2'], 'trace takes one ID at most'],
  [['trace', 'x'], 'x is not the number of a trace'],
  [['trace', '1', '--stuck'], 'an ID goes with neither --stuck nor --rpc'],
  [['trace', '1', '--rpc', 'PullImage'], 'an ID goes with neither --stuck nor --rpc'],
  [['--stuck'], '--stuck is for trace alone'],
  [['images', 'ls', '--json'], '--json is for trace alone'],
])('%j makes no sense', (argv, message) => {
  expect(parseCommand(argv)).toEqual({
    kind: 'print',
    text: `cristal: ${message}; see cristal --help\n`,
    exitCode: 2,
  });
});
