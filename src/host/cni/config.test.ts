import { describe, expect, it, test } from 'vitest';

import { configFileNames, parseNetworkConfig, parsePluginConfig } from './config.ts';

const bridge = { type: 'bridge', bridge: 'br0' };

function list(fields: Record<string, unknown> = {}): string {
  return JSON.stringify({ name: 'net', cniVersion: '1.0.0', plugins: [bridge], ...fields });
}

test('only files of the three endings are tried, by name', () => {
  const names = ['20-b.conf', 'readme', '10-a.conflist', '5-c.json', '10-a.conflist.bak'];
  expect(configFileNames(names)).toEqual(['10-a.conflist', '20-b.conf', '5-c.json']);
});

test('a list keeps its plugins as they are written, with the capabilities they ask for', () => {
  const portmap = { type: 'portmap', snat: true, capabilities: { portMappings: true, dns: false } };
  const network = parseNetworkConfig('a.conflist', list({ plugins: [bridge, portmap] }));
  expect(network).toEqual({
    name: 'net',
    cniVersion: '1.0.0',
    disableCheck: false,
    disableGC: false,
    loadOnlyInlinedPlugins: false,
    plugins: [
      { type: 'bridge', capabilities: [], raw: bridge },
      { type: 'portmap', capabilities: ['portMappings'], raw: portmap },
    ],
  });
});

it.each(['a.conf', 'a.json'])('%s with a single plugin becomes a list of one', (file) => {
  const raw = { name: 'one', cniVersion: '0.3.1', ...bridge };
  const network = parseNetworkConfig(file, JSON.stringify(raw));
  expect(network).toMatchObject({ name: 'one', cniVersion: '0.3.1', plugins: [{ type: 'bridge', raw }] });
});

it.each<[string, Record<string, unknown>, string]>([
  ['is as written', { cniVersion: '0.4.0' }, '0.4.0'],
  ['is the oldest when there is none', { cniVersion: undefined }, '0.1.0'],
  ['is the newest of several', { cniVersion: undefined, cniVersions: ['0.4.0', '1.1.0', '1.0.0'] }, '1.1.0'],
  ['leaves out what is newer than ours', { cniVersion: '1.0.0', cniVersions: ['1.9.0', '0.3.1'] }, '1.0.0'],
])('the version %s', (_case, fields, version) => {
  expect(parseNetworkConfig('a.conflist', list(fields)).cniVersion).toBe(version);
});

it.each([
  [true, true],
  ['True', true],
  ['false', false],
  [false, false],
  [undefined, false],
])('disableGC %j means %s', (disableGC, meant) => {
  expect(parseNetworkConfig('a.conflist', list({ disableGC })).disableGC).toBe(meant);
});

describe('refuses', () => {
  it.each<[string, string, string, string]>([
    ['an empty file', 'a.conflist', '  \n', 'is empty'],
    ['broken JSON', 'a.conflist', '{"name": ', 'is not JSON'],
    ['another value', 'a.conflist', '[]', 'is not a JSON object'],
    ['no name', 'a.conflist', list({ name: undefined }), "'name' is missing"],
    ['a name with a slash', 'a.conflist', list({ name: '../x' }), `'name' is "../x"`],
    ['a future version', 'a.conflist', list({ cniVersion: '2.0.0' }), 'cniVersion 2.0.0 is not known'],
    ['a version that is no text', 'a.conflist', list({ cniVersion: 1 }), "'cniVersion' is not a text"],
    [
      'only future versions',
      'a.conflist',
      list({ cniVersion: '3.0.0', cniVersions: ['2.0.0'] }),
      '2.0.0, 3.0.0',
    ],
    ['odd versions', 'a.conflist', list({ cniVersions: [1] }), "'cniVersions' is not a list"],
    ['odd plugins', 'a.conflist', list({ plugins: {} }), "'plugins' is not a list"],
    ['a plugin without type', 'a.conflist', list({ plugins: [bridge, {}] }), "plugin 2: 'type' is missing"],
    ['a plugin that is a path', 'a.conflist', list({ plugins: [{ type: '/bin/sh' }] }), 'not a path'],
    [
      'odd capabilities',
      'a.conflist',
      list({ plugins: [{ type: 'a', capabilities: [] }] }),
      "'capabilities'",
    ],
    ['an odd flag', 'a.conflist', list({ disableCheck: 'perhaps' }), "'disableCheck' is neither"],
    ['a list under the wrong ending', 'a.conf', list(), "ends in '.conflist'"],
    ['a single plugin without type', 'a.conf', '{"name":"x"}', "'type' is missing"],
  ])('%s', (_case, file, text, message) => {
    expect(() => parseNetworkConfig(file, text)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining(message) }),
    );
  });

  test('a plugin file without a type', () => {
    expect(() => parsePluginConfig('{"name":"x"}')).toThrow("'type' is missing");
  });
});
