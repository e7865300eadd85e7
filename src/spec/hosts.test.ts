import { expect, test } from 'vitest';
import { resolvConf } from './hosts.ts';

const HOST = 'nameserver 9.9.9.9\n';

test.each([
  ['no config', null, HOST],
  ['an empty config', { servers: [], searches: [], options: [] }, HOST],
  [
    'all of it',
    { servers: ['10.0.0.1', 'fd00::1'], searches: ['a.local', 'local'], options: ['ndots:5', 'rotate'] },
    'search a.local local\nnameserver 10.0.0.1\nnameserver fd00::1\noptions ndots:5 rotate\n',
  ],
  ['options only', { servers: [], searches: [], options: ['ndots:2'] }, 'options ndots:2\n'],
  [
    'four servers',
    { servers: ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'], searches: [], options: [] },
    'nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n',
  ],
])('%s', (_, dns, expected) => {
  expect(resolvConf(dns, HOST)).toBe(expected);
});
