import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, test } from 'vitest';
import { defaultConfig, defaultRuntimeHandler } from '../config/schema.ts';
import { ensureDir } from '../host/files.ts';
import { Fault } from '../lib/fault.ts';
import type { HostFacts } from '../lib/host-facts.ts';
import { noteContainerd } from '../store/root-owner.ts';
import type { PreflightNeeds } from './preflight-facts.ts';
import { gatherFacts } from './preflight-facts.ts';

const host: HostFacts = {
  cgroup: 'v2',
  cgroupOptions: [],
  oomScoreAdj: 0,
  mayLowerOomScore: true,
  mounts: [],
  hugepageSizes: [],
  apparmorInKernel: false,
  apparmor: false,
  selinux: null,
  seccomp: true,
  kernelRelease: '6.1.0',
  arch: 'x64',
  swap: false,
  rdt: false,
  kernel: { mountAttributes: true, userNamespaces: true },
  hostname: 'node',
};

const server = async () => ({ uuid: '', deprecations: {} });

function plugin(type: string, id: string, initError: string | null = null) {
  return { type, id, exports: {}, capabilities: [], initError };
}

function needsWith(change: Partial<PreflightNeeds>): PreflightNeeds {
  return {
    config: { ...defaultConfig(), root: '/nonexistent' },
    containerd: {
      version: async () => ({ version: '2.3.7', revision: '' }),
      introspection: { plugins: async () => [], server },
    },
    network: { status: async () => ({ ready: true, reason: '', message: '' }) },
    host,
    exists: async () => false,
    ...change,
  };
}

it.each([
  ['runs', [plugin('io.containerd.grpc.v1', 'cri')], true],
  ['failed to start', [plugin('io.containerd.grpc.v1', 'cri', 'no /etc/cni')], false],
  ['is off, its settings are kept', [plugin('io.containerd.cri.v1', 'runtime')], false],
])('the built-in CRI plugin %s', async (_, plugins, builtInCri) => {
  const { version } = needsWith({}).containerd;
  const needs = needsWith({
    containerd: { version, introspection: { plugins: async () => plugins, server } },
  });
  expect((await gatherFacts(needs)).containerd).toMatchObject({ builtInCri });
});

test('only snapshotters that started count', async () => {
  const plugins = [
    plugin('io.containerd.snapshotter.v1', 'overlayfs'),
    plugin('io.containerd.snapshotter.v1', 'btrfs', 'skip plugin: not a btrfs filesystem'),
  ];
  const { version } = needsWith({}).containerd;
  const needs = needsWith({
    containerd: { version, introspection: { plugins: async () => plugins, server } },
  });
  expect((await gatherFacts(needs)).containerd).toMatchObject({ snapshotters: ['overlayfs'] });
});

test('a containerd that fails any call is away, with its reason', async () => {
  const { version } = needsWith({}).containerd;
  const introspection = {
    plugins: async () => {
      throw new Fault('unavailable', 'connection refused');
    },
    server,
  };
  const facts = await gatherFacts(needsWith({ containerd: { version, introspection } }));
  expect(facts.containerd).toEqual({ error: 'connection refused' });
});

it.each([
  ['has pods', ['sandboxes', 'a'], expect.stringContaining('lead to namespace k8s.io of')],
  ['has none', ['sandboxes'], null],
])('records that are elsewhere count where the root %s', async (_, path, elsewhere) => {
  const root = mkdtempSync(join(tmpdir(), 'cristal-preflight-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  await ensureDir(join(root, ...path));
  await noteContainerd(root, { namespace: 'other', address: '/a.sock', uuid: '' });
  const facts = await gatherFacts(needsWith({ config: { ...defaultConfig(), root } }));
  expect(facts.containerd).toMatchObject({ elsewhere });
});

it.each([
  ['tmpfs', false],
  ['cgroup', true],
  ['cgroup2', true],
])('a mount of type %s: cgroups are mounted is %s', async (fsType, cgroupMounted) => {
  const mount = {
    id: 1,
    parentId: 0,
    device: '0:1',
    root: '/',
    mountPoint: '/sys/fs/cgroup',
    options: [],
    propagation: 'shared' as const,
    fsType,
    source: 'none',
    superOptions: [],
  };
  expect(await gatherFacts(needsWith({ host: { ...host, mounts: [mount] } }))).toMatchObject({
    cgroupMounted,
  });
});

test('binaries are looked for in PATH or where the settings say', async () => {
  const config = defaultConfig();
  config.runtimes['crun'] = { ...defaultRuntimeHandler(), binary: '/opt/crun' };
  config.runtimes['kata'] = { ...defaultRuntimeHandler(), type: 'io.containerd.kata.v2' };
  const asked: string[] = [];
  const exists = async (path: string) => {
    asked.push(path);
    return path === '/opt/crun';
  };
  const { binaries } = await gatherFacts(needsWith({ config, exists }));
  expect(binaries).toEqual([
    { handler: 'runc', wanted: 'runc', path: null },
    { handler: 'crun', wanted: '/opt/crun', path: '/opt/crun' },
  ]);
  expect(asked).toContain(`${(process.env['PATH'] ?? '').split(':')[0]}/runc`);
});

it.each<[string, Partial<HostFacts>, string[]]>([
  ['all', {}, []],
  ['AppArmor and its parser', { apparmorInKernel: true, apparmor: true }, []],
  ['AppArmor alone', { apparmorInKernel: true }, ['apparmor_parser']],
  ['no seccomp', { seccomp: false }, ['seccomp']],
])('guards that are missing: %s', async (_, over, expected) => {
  const { missingGuards } = await gatherFacts(needsWith({ host: { ...host, ...over } }));
  expect(missingGuards).toEqual(expected);
});
