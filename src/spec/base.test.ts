import { expect, test } from 'vitest';
import { readBaseSpec } from './base.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { buildContainerSpec } from './container.ts';
import { containerInput } from './fixtures.ts';
import { withRlimits } from './rlimits.ts';

const read = (document: unknown) => readBaseSpec('/etc/base.json', JSON.stringify(document));

/** As `ctr oci spec` writes it, shortened, with changes of an operator. */
const BASE = {
  ociVersion: '1.2.0',
  hostname: 'other',
  process: {
    user: { uid: 0, gid: 0 },
    env: ['PATH=/nowhere', 'SITE=berlin'],
    cwd: '/',
    capabilities: { bounding: ['CAP_SYS_ADMIN'] },
    apparmorProfile: 'other',
    selinuxLabel: 'a:b:c',
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }],
    ioPriority: { class: 'IOPRIO_CLASS_IDLE' },
  },
  root: { path: '/elsewhere' },
  hooks: { poststop: [{ path: '/bin/after' }] },
  annotations: { site: 'berlin' },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['base'] },
    { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: [] },
    { destination: '/site', type: 'bind', source: '/srv/site', options: ['rbind', 'ro'] },
  ],
  linux: {
    namespaces: [{ type: 'pid' }, { type: 'network' }],
    cgroupsPath: '/default',
    resources: { pids: { limit: 50 } },
    seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
    sysctl: { 'net.core.somaxconn': '9' },
  },
};

test('a container has what the base says, where its config says nothing', () => {
  const spec = buildContainerSpec(containerInput({ base: read(BASE) }));
  const plain = buildContainerSpec(containerInput());
  expect(spec).toEqual({
    ...plain,
    ociVersion: '1.2.0',
    hooks: BASE.hooks,
    annotations: { ...plain.annotations, site: 'berlin' },
    mounts: expect.arrayContaining([...plain.mounts, BASE.mounts[2]]) as unknown,
    process: {
      ...plain.process,
      env: expect.arrayContaining([...plain.process.env, 'SITE=berlin']) as unknown,
      rlimits: BASE.process.rlimits,
      ioPriority: BASE.process.ioPriority,
    },
    linux: {
      ...plain.linux,
      sysctl: BASE.linux.sysctl,
      resources: { ...plain.linux.resources, pids: { limit: 50 } },
    },
  });
  expect(spec.mounts).toHaveLength(plain.mounts.length + 1);
  expect(spec.process.env).toHaveLength(plain.process.env.length + 1);
});

test('an empty base changes nothing, nor does one of nulls', () => {
  expect(read({})).toEqual(EMPTY_SPEC);
  expect(read({ mounts: null, linux: { devices: null, resources: { devices: null } } })).toEqual(EMPTY_SPEC);
});

test.each([
  ['no JSON', '{', /base spec \/etc\/base.json: /],
  ['a list', '[]', /base spec \/etc\/base.json: expected an object/],
  ['a strange part', '{"linux": 3}', /linux is not an object/],
  ['a strange list', '{"mounts": {}}', /mounts is not a list/],
  [
    'a strange list inside',
    '{"linux": {"resources": {"devices": 1}}}',
    /linux.resources.devices is not a list/,
  ],
])('%s is refused by its name', (_, text, message) => {
  const call = () => readBaseSpec('/etc/base.json', text);
  expect(call).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  expect(call).toThrow(message);
});

test('limits of the settings fill what the base leaves open', () => {
  const nofile = { type: 'RLIMIT_NOFILE', soft: 1, hard: 2 };
  const core = { type: 'RLIMIT_CORE', soft: 0, hard: 0 };
  expect(buildSpec(read(BASE), [withRlimits([nofile, core])]).process.rlimits).toEqual([
    ...BASE.process.rlimits,
    core,
  ]);
  expect(buildSpec(EMPTY_SPEC, [withRlimits([])]).process).not.toHaveProperty('rlimits');
});
