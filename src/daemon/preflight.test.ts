import { pino } from 'pino';
import { expect, it, test } from 'vitest';
import type { Config } from '../config/schema.ts';
import { defaultConfig, defaultRuntimeHandler } from '../config/schema.ts';
import type { Finding } from './preflight.ts';
import { judge, mayStart } from './preflight.ts';
import type { ContainerdFacts, PreflightFacts } from './preflight-facts.ts';

function factsWith(change: Partial<PreflightFacts>): PreflightFacts {
  return {
    uid: 0,
    missingGuards: [],
    cgroupMounted: true,
    systemd: false,
    lowestOomScoreAdj: null,
    containerd: containerdWith({}),
    network: { ready: true, reason: '', message: '' },
    binaries: [{ handler: 'runc', wanted: 'runc', path: '/usr/bin/runc' }],
    ...change,
  };
}

function containerdWith(change: Partial<ContainerdFacts>): ContainerdFacts {
  return {
    version: '1.7.24',
    elsewhere: null,
    builtInCri: false,
    snapshotters: ['native', 'overlayfs'],
    deprecations: {},
    ...change,
  };
}

function configWith(change: Partial<Config['containerd']>): Config {
  const config = defaultConfig();
  return { ...config, containerd: { ...config.containerd, ...change } };
}

test('a sound machine gives no findings', () => {
  expect(judge(factsWith({}), defaultConfig())).toEqual([]);
});

it.each<[string, Partial<PreflightFacts>, Finding['level'], string, string]>([
  ['not root', { uid: 1000 }, 'error', 'runs as uid 1000', 'run it as root'],
  ['no capability', { lowestOomScoreAdj: -500 }, 'warn', 'oom_score_adj below -500', 'CAP_SYS_RESOURCE'],
  [
    'no seccomp',
    { missingGuards: ['seccomp'] },
    'warn',
    'no filters of system calls',
    'CONFIG_SECCOMP_FILTER',
  ],
  [
    'no parser',
    { missingGuards: ['apparmor_parser'] },
    'warn',
    'without a profile',
    'install the package apparmor',
  ],
  ['no cgroups', { cgroupMounted: false }, 'error', 'no cgroup filesystem', '/sys/fs/cgroup'],
  [
    'containerd away',
    { containerd: { error: 'connect ENOENT\n  at socket' } },
    'error',
    'containerd does not answer at /run/containerd/containerd.sock: connect ENOENT; at socket',
    'start containerd',
  ],
  ['containerd old', { containerd: containerdWith({ version: 'v1.5.18' }) }, 'error', 'v1.5.18', '1.6'],
  ['containerd ancient', { containerd: containerdWith({ version: '0.9.1' }) }, 'error', '0.9.1', '1.6'],
  [
    'a version of no form',
    { containerd: containerdWith({ version: '(devel)' }) },
    'warn',
    '"(devel)"',
    '1.6',
  ],
  [
    'records elsewhere',
    { containerd: containerdWith({ elsewhere: 'the last cristal worked with another' }) },
    'error',
    'worked with another, where every pod would look half-made',
    'remove /var/lib/cristal/containerd',
  ],
  [
    'built-in CRI',
    { containerd: containerdWith({ builtInCri: true }) },
    'warn',
    'same namespace k8s.io',
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
  ],
  [
    'no such snapshotter',
    { containerd: containerdWith({ snapshotters: ['native', 'zfs'] }) },
    'error',
    'no working snapshotter "overlayfs"',
    'one of: native, zfs',
  ],
  [
    'no network',
    {
      network: {
        ready: false,
        reason: 'NetworkPluginNotReady',
        message: 'no configuration in /etc/cni/net.d',
      },
    },
    'warn',
    'no pod network: no configuration in /etc/cni/net.d',
    'network add-on',
  ],
  [
    'no runc',
    { binaries: [{ handler: 'runc', wanted: 'runc', path: null }] },
    'warn',
    'runtime handler runc: runc is not here',
    'set binary in [runtimes.runc]',
  ],
])('%s', (_, change, level, what, mend) => {
  const findings = judge(factsWith(change), defaultConfig());
  expect(findings).toHaveLength(1);
  expect(findings[0]?.level).toBe(level);
  expect(findings[0]?.what).toContain(what);
  expect(findings[0]?.mend).toContain(mend);
  expect(`${findings[0]?.what}${findings[0]?.mend}`).not.toContain('\n');
});

it.each(['1.6.0', '1.6.20~ds1', 'v1.7.0-rc.1', '2.3.7', 'v2.0.0+unknown', '10.0.1'])(
  'containerd %s is new enough',
  (version) => {
    expect(judge(factsWith({ containerd: containerdWith({ version }) }), defaultConfig())).toEqual([]);
  },
);

test('the built-in CRI plugin does no harm in another namespace', () => {
  const facts = factsWith({ containerd: containerdWith({ builtInCri: true }) });
  expect(judge(facts, configWith({ namespace: 'cristal' }))).toEqual([]);
});

test('everything amiss is told at once', () => {
  const facts = factsWith({ uid: 1, cgroupMounted: false, containerd: { error: 'x' } });
  expect(judge(facts, defaultConfig())).toHaveLength(3);
});

it.each<[Finding['level'][], boolean]>([
  [[], true],
  [['warn', 'warn'], true],
  [['warn', 'error'], false],
])('findings of levels %j: may start is %s', (levels, expected) => {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => lines.push(line) });
  const findings = levels.map((level) => ({ level, what: 'w', mend: 'm' }));
  expect(mayStart(findings, log)).toBe(expected);
  expect(lines).toHaveLength(levels.length);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ msg: 'w; to mend it, m' });
});

test('drivers of cgroups: one that nobody serves, and one that the kubelet is not told of', () => {
  const config = defaultConfig();
  const other = { ...config, cgroupDriver: 'systemd' as const };
  expect(judge(factsWith({}), other)).toMatchObject([
    { what: expect.stringContaining('does not run this machine') },
  ]);
  expect(judge(factsWith({ systemd: true }), other)).toEqual([]);
  const runtimes = { ...config.runtimes, kata: { ...defaultRuntimeHandler(), systemdCgroup: true } };
  expect(judge(factsWith({}), { ...config, runtimes })).toMatchObject([
    { level: 'warn', what: expect.stringContaining('kata has another cgroup driver than runc') },
  ]);
  expect(judge(factsWith({ systemd: true }), { ...config, runtimes })).toEqual([]);
});
