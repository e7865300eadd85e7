import { expect, test } from 'vitest';
import { parseNetDev } from './net-dev.ts';

test('every interface but the loopback, whatever the width of its columns', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo:     840      10    0    0    0     0          0         0      840      10    0    0    0     0       0          0',
    '  eth0:12345678901     200    3    4    0     0          0         0     5678      60    7    8    0     0       0          0',
    'net1.5: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0',
    '',
  ].join('\n');
  const none = { errors: 0, dropped: 0 };
  expect(parseNetDev(text)).toEqual([
    {
      name: 'eth0',
      rx: { bytes: 12_345_678_901, packets: 200, errors: 3, dropped: 4 },
      tx: { bytes: 5_678, packets: 60, errors: 7, dropped: 8 },
    },
    { name: 'net1.5', rx: { bytes: 1, packets: 2, ...none }, tx: { bytes: 3, packets: 4, ...none } },
  ]);
});
