import { describe, expect, it, test } from 'vitest';

import { parseResult, podIps, resultAsVersion } from './result.ts';

const interfaces = [
  { name: 'br0', mac: 'aa' },
  { name: 'veth1' },
  { name: 'net1', sandbox: '/ns' },
  { name: 'eth0', sandbox: '/ns' },
];

describe('addresses', () => {
  it.each<[string, unknown, string[]]>([
    [
      '1.x',
      { cniVersion: '1.0.0', interfaces, ips: [{ address: '10.1.0.2/24', interface: 3 }] },
      ['10.1.0.2'],
    ],
    [
      '0.4',
      { cniVersion: '0.4.0', interfaces, ips: [{ version: '4', address: '10.1.0.3/24', interface: 3 }] },
      ['10.1.0.3'],
    ],
    [
      '0.2',
      { cniVersion: '0.2.0', ip4: { ip: '10.1.0.4/24' }, ip6: { ip: 'fd00::4/64' } },
      ['10.1.0.4', 'fd00::4'],
    ],
    ['no interfaces', { ips: [{ address: '10.1.0.5/24' }] }, ['10.1.0.5']],
    ['none', { cniVersion: '1.1.0', interfaces: null }, []],
    [
      'dual stack in the order of the plugin, once each',
      {
        interfaces,
        ips: ['fd00::2/64', '10.1.0.2/24', '10.1.0.2/24'].map((address) => ({ address, interface: 3 })),
      },
      ['fd00::2', '10.1.0.2'],
    ],
    [
      'the interface eth0 before others',
      {
        interfaces,
        ips: [
          { address: '10.2.0.1/24', interface: 2 },
          { address: '10.1.0.2/24', interface: 3 },
        ],
      },
      ['10.1.0.2'],
    ],
    [
      'inside before the bridge',
      {
        interfaces,
        ips: [
          { address: '10.1.0.1/24', interface: 0 },
          { address: '10.2.0.1/24', interface: 2 },
        ],
      },
      ['10.2.0.1'],
    ],
    ['what there is', { interfaces, ips: [{ address: '10.1.0.1/24', interface: 0 }] }, ['10.1.0.1']],
  ])('%s', (_case, raw, ips) => {
    expect(podIps(parseResult(JSON.stringify(raw), '1.0.0'), 'eth0')).toEqual(ips);
  });
});

test('a result without version is of the version that was asked for', () => {
  expect(parseResult('{}', '0.4.0').raw).toEqual({ cniVersion: '0.4.0' });
  expect(parseResult('{"cniVersion":"1.0.0"}', '0.4.0').raw).toEqual({ cniVersion: '1.0.0' });
});

it.each([
  ['', 'is not JSON'],
  ['hello', 'is not JSON'],
  ['[]', 'is not a JSON object'],
  ['{"cniVersion":"9.0.0"}', 'unknown cniVersion 9.0.0'],
  ['{"ips":{}}', 'something else than objects'],
  ['{"ips":["10.0.0.1"]}', 'something else than objects'],
  ['{"ips":[{"gateway":"10.0.0.1"}]}', 'IP without address'],
])('refuses %j', (text, message) => {
  expect(() => parseResult(text, '1.0.0')).toThrow(
    expect.objectContaining({ code: 'internal', message: expect.stringContaining(message) }),
  );
});

describe('as another version', () => {
  const routes = [{ dst: '0.0.0.0/0' }];
  const modern = {
    cniVersion: '1.0.0',
    ips: [{ address: '10.1.0.2/24' }, { address: 'fd00::2/64' }],
    routes,
  };
  const middle = {
    cniVersion: '0.4.0',
    ips: [
      { version: '4', address: '10.1.0.2/24' },
      { version: '6', address: 'fd00::2/64' },
    ],
    routes,
  };
  const old = { cniVersion: '0.2.0', ip4: { ip: '10.1.0.2/24' }, ip6: { ip: 'fd00::2/64' }, routes };

  it.each<[string, Record<string, unknown>, string, Record<string, unknown>]>([
    ['the same', modern, '1.0.0', modern],
    ['newer', middle, '1.0.0', modern],
    ['older', modern, '0.4.0', middle],
    ['between like ones', modern, '1.1.0', { ...modern, cniVersion: '1.1.0' }],
    ['from the oldest', old, '0.4.0', middle],
    ['to the oldest', middle, '0.2.0', old],
  ])('%s', (_case, from, version, to) => {
    expect(resultAsVersion(from, version)).toEqual(to);
  });
});
