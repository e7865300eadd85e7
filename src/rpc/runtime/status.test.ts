import { expect, test } from 'vitest';
import { defaultConfig, defaultRuntimeHandler } from '../../config/schema.ts';
import type { PreflightFacts } from '../../daemon/preflight-facts.ts';
import { conditionsOf, handlers } from './status.ts';

test('every handler is listed with what it can do, the default one without a name too', () => {
  const runtimes = { runc: defaultRuntimeHandler(), other: defaultRuntimeHandler() };
  const config = { ...defaultConfig(), runtimes, defaultRuntime: 'other' };
  const able = { recursiveReadOnly: true, userNamespaces: false, seccomp: true };
  expect(
    handlers({ config, abilities: new Map([['other', able]]) }).map(({ name, features }) => [
      name,
      features?.recursiveReadOnlyMounts,
    ]),
  ).toEqual([
    ['', true],
    ['runc', false],
    ['other', true],
  ]);
});

const sound: PreflightFacts = {
  uid: 0,
  cgroupMounted: true,
  missingGuards: [],
  systemd: false,
  lowestOomScoreAdj: null,
  containerd: {
    version: '2.3.7',
    elsewhere: null,
    builtInCri: false,
    snapshotters: ['overlayfs'],
    deprecations: {},
  },
  network: { ready: true, reason: '', message: '' },
  binaries: [],
};

test.each<[string, Partial<PreflightFacts>, Record<string, [string, RegExp]>]>([
  ['a sound machine', {}, {}],
  [
    'containerd away',
    { containerd: { error: 'connect ENOENT' } },
    { RuntimeReady: ['ContainerdNotReady', /does not answer at .*: connect ENOENT/] },
  ],
  [
    'containerd without the snapshotter',
    {
      containerd: {
        version: '2.3.7',
        elsewhere: null,
        builtInCri: false,
        snapshotters: [],
        deprecations: {},
      },
    },
    { RuntimeReady: ['RuntimeNotFit', /no working snapshotter "overlayfs"/] },
  ],
  [
    'no network',
    { network: { ready: false, reason: 'NetworkPluginNotReady', message: 'no file' } },
    { NetworkReady: ['NetworkPluginNotReady', /^no file$/] },
  ],
  [
    'deprecations',
    {
      containerd: {
        version: '2.3.7',
        elsewhere: null,
        builtInCri: false,
        snapshotters: ['overlayfs'],
        deprecations: { 'io.containerd.x': 'x goes' },
      },
    },
    {
      ContainerdHasNoDeprecationWarnings: [
        'ContainerdHasDeprecationWarnings',
        /^\{"io.containerd.x":"x goes"\}$/,
      ],
    },
  ],
  [
    'a capability and a runtime are missing',
    { lowestOomScoreAdj: 0, binaries: [{ handler: 'runc', wanted: 'runc', path: null }] },
    { CristalHasNoWarnings: ['CristalHasWarnings', /CAP_SYS_RESOURCE.*\. .*runc is not here.*to mend it/] },
  ],
])('conditions: %s', (_, change, failing) => {
  const conditions = conditionsOf({ ...sound, ...change }, defaultConfig());
  expect(conditions.map(({ type }) => type)).toEqual([
    'RuntimeReady',
    'NetworkReady',
    'ContainerdHasNoDeprecationWarnings',
    'CristalHasNoWarnings',
  ]);
  for (const { type = '', status, reason, message } of conditions) {
    const [expected, words] = failing[type] ?? ['', /^$/];
    expect({ type, status, reason }).toEqual({ type, status: !(type in failing), reason: expected });
    expect(message).toMatch(words);
  }
});
