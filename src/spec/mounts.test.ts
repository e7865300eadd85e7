import { describe, expect, test } from 'vitest';
import type { Mount__Output } from '../gen/runtime/v1/Mount.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { criMount, HOST, hostFacts, hostMount, pinned } from './fixtures.ts';
import {
  configMounts,
  declaredVolumes,
  needsBoundSys,
  sharedMemory,
  systemMounts,
  withMounts,
  withRootfsPropagation,
} from './mounts.ts';

const NONE = { prepared: {}, declared: [] };

function mountsOf(mounts: Mount__Output[], sources: Record<string, string> = {}) {
  return configMounts({ mounts, sources, volumes: NONE, host: hostFacts().mounts });
}

describe('configMounts', () => {
  test.each<[string, Partial<Mount__Output>, string[]]>([
    ['plain', {}, ['rbind', 'rprivate', 'rw']],
    ['read-only', { readonly: true }, ['rbind', 'rprivate', 'ro']],
    [
      'read-only all the way',
      { readonly: true, recursiveReadOnly: true },
      ['rbind', 'rprivate', 'ro', 'rro'],
    ],
    ['from the host', { propagation: 'PROPAGATION_HOST_TO_CONTAINER' }, ['rbind', 'rslave', 'rw']],
    ['both ways', { propagation: 'PROPAGATION_BIDIRECTIONAL' }, ['rbind', 'rshared', 'rw']],
  ])('%s', (_, over, options) => {
    expect(mountsOf([criMount(over)])).toEqual([
      { destination: '/data', type: 'bind', source: '/var/data', options },
    ]);
  });

  test('the real path stands for the host path, and the container path is tidied', () => {
    const mounts = mountsOf([criMount({ containerPath: '/data//x/' })], { '/var/data': '/mnt/real' });
    expect(mounts).toMatchObject([{ destination: '/data/x', source: '/mnt/real' }]);
  });

  test.each<[Mount__Output['propagation'], string, boolean]>([
    ['PROPAGATION_PRIVATE', '/srv/private/x', true],
    ['PROPAGATION_HOST_TO_CONTAINER', '/srv/private', false],
    ['PROPAGATION_HOST_TO_CONTAINER', '/srv/private/x', false],
    ['PROPAGATION_HOST_TO_CONTAINER', '/srv/privateer', true],
    ['PROPAGATION_BIDIRECTIONAL', '/srv/privateer', false],
    ['PROPAGATION_BIDIRECTIONAL', '/srv/..x', false],
    ['PROPAGATION_BIDIRECTIONAL', '/var', true],
  ])('%s of %s is possible: %s', (propagation, hostPath, possible) => {
    const call = () => mountsOf([criMount({ propagation, hostPath })]);
    if (possible) expect(call).not.toThrow();
    else expect(call).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  });

  test('of mounts stacked on one point the last counts', () => {
    const host = [hostMount('/', 'private'), hostMount('/', 'shared')];
    const mounts = [criMount({ propagation: 'PROPAGATION_BIDIRECTIONAL' })];
    expect(() => configMounts({ mounts, sources: {}, volumes: NONE, host })).not.toThrow();
    expect(() => configMounts({ mounts, sources: {}, volumes: NONE, host: host.toReversed() })).toThrow(
      /private one at \//,
    );
  });

  test('options of the mount come last', () => {
    expect(mountsOf([criMount({ mountOptions: ['nodev', 'noexec'] })])[0]?.options).toEqual([
      'rbind',
      'rprivate',
      'rw',
      'nodev',
      'noexec',
    ]);
  });

  test('what was prepared for a mount is its source, and volumes of the image come first', () => {
    const volumes = { prepared: { 1: '/made/1' }, declared: [{ path: '/var/db', source: '/vol/0' }] };
    const mounts = [criMount(), criMount({ containerPath: '/of-image', hostPath: '' })];
    const made = configMounts({ mounts, sources: {}, volumes, host: [] });
    expect(made.map(({ destination, source }) => [destination, source])).toEqual([
      ['/var/db', '/vol/0'],
      ['/data', '/var/data'],
      ['/of-image', '/made/1'],
    ]);
  });
});

test('a volume that the image declares is left out where the config mounts something', () => {
  const mounts = [criMount({ containerPath: '/data/' }), criMount({ containerPath: '/x' })];
  expect(declaredVolumes(['/data', 'db', '/db/', '/', '/x/y'], mounts)).toEqual(['/db', '/x/y']);
});

function destinations(paths: string[]): string[] {
  const configured = mountsOf(paths.map((containerPath) => criMount({ containerPath })));
  const draft = buildSpec(EMPTY_SPEC, [
    withMounts(systemMounts({ privileged: false, cgroupWritable: false, cgroupOptions: [] }), configured),
  ]);
  return draft.mounts.map(({ destination, type }) => (type === 'bind' ? `own ${destination}` : destination));
}

describe('withMounts', () => {
  test('parents come first, and equals stay in order', () => {
    expect(destinations(['/a/b/c', '/a', '/x', '/a/b'])).toEqual([
      '/proc',
      '/dev',
      '/sys',
      'own /a',
      'own /x',
      '/dev/pts',
      '/dev/mqueue',
      'own /a/b',
      '/sys/fs/cgroup',
      'own /a/b/c',
    ]);
  });

  test('a mount of the config replaces ours', () => {
    const made = destinations(['/sys/fs/cgroup/']);
    expect(made).toContain('own /sys/fs/cgroup');
    expect(made).not.toContain('/sys/fs/cgroup');
  });

  test('a /dev of the config replaces all of ours below it', () => {
    expect(destinations(['/dev', '/dev/own']).filter((path) => path.includes('/dev'))).toEqual([
      'own /dev',
      'own /dev/own',
    ]);
  });
});

test.each([
  [['PROPAGATION_PRIVATE'], undefined],
  [['PROPAGATION_PRIVATE', 'PROPAGATION_HOST_TO_CONTAINER'], 'rslave'],
  [['PROPAGATION_BIDIRECTIONAL', 'PROPAGATION_HOST_TO_CONTAINER'], 'rshared'],
] as const)('with %j the root is %s', (propagations, expected) => {
  const configured = mountsOf(propagations.map((propagation) => criMount({ propagation })));
  const { linux } = buildSpec(EMPTY_SPEC, [withRootfsPropagation(configured)]);
  expect(linux.rootfsPropagation).toBe(expected);
});

test.each([
  ['its own network', pinned('net'), false],
  ["the machine's network", HOST, true],
])('with a user namespace and %s /sys is bound: %s', (_, network, bound) => {
  const ids = { containerId: 0, hostId: 1, length: 1 };
  const userns = { path: '/pins/user', ids: { uids: ids, gids: ids } };
  const boundSys = needsBoundSys(userns, network);
  expect(boundSys).toBe(bound);
  expect(needsBoundSys(null, network)).toBe(false);
  const mounts = systemMounts({ privileged: false, cgroupWritable: false, cgroupOptions: [], boundSys });
  const sys = mounts.find(({ destination }) => destination === '/sys');
  expect(sys).toMatchObject(bound ? { type: 'bind', source: '/sys' } : { type: 'sysfs' });
  expect(sys?.options).toContain(bound ? 'rro' : 'ro');
});

test('shared memory follows the IPC namespace', () => {
  expect(sharedMemory(pinned('ipc'), '/pod/shm').source).toBe('/pod/shm');
  expect(sharedMemory(HOST, '/pod/shm').source).toBe('/dev/shm');
});

test.each([
  [{ privileged: false, cgroupWritable: false }, 'ro', 'ro'],
  [{ privileged: false, cgroupWritable: true }, 'ro', 'rw'],
  [{ privileged: true, cgroupWritable: false }, 'rw', 'rw'],
])('with %j /sys is %s and its cgroups are %s', (access, sys, cgroup) => {
  const options = new Map(
    systemMounts({ ...access, cgroupOptions: [] }).map((mount) => [mount.destination, mount.options]),
  );
  expect(options.get('/sys')).toContain(sys);
  expect(options.get('/sys/fs/cgroup')).toContain(cgroup);
});

const bind = (destination: string, source: string) => ({ destination, source, type: 'bind', options: [] });

test('mounts of a base spec stay, where neither ours nor the config has one', () => {
  const base = {
    ...EMPTY_SPEC,
    mounts: [bind('/extra', 'base'), bind('/proc', 'base'), bind('/data', 'base')],
  };
  const draft = buildSpec(base, [withMounts([bind('/proc', 'ours')], [bind('/data', 'config')])]);
  expect(draft.mounts.map(({ destination, source }) => [destination, source])).toEqual([
    ['/extra', 'base'],
    ['/proc', 'ours'],
    ['/data', 'config'],
  ]);
});
