import { expect, test } from 'vitest';
import {
  criResources,
  HOST,
  hostFacts,
  NEW,
  pauseInput,
  pinned,
  sandboxConfig,
  sandboxLinux,
} from './fixtures.ts';
import type { PauseSpecInput } from './input.ts';
import { buildPauseSpec } from './pause.ts';

test('the pause container may do nothing but hold the namespaces', () => {
  const spec = buildPauseSpec(pauseInput());
  expect(spec.process).toMatchObject({
    args: ['/pause'],
    user: { uid: 65535, gid: 65535 },
    noNewPrivileges: true,
    oomScoreAdj: -998,
    capabilities: { bounding: [], effective: [], permitted: [] },
  });
  expect(spec.root).toEqual({ path: '/run/cristal/pause', readonly: true });
  expect(spec.linux.resources).toEqual({ devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2 } });
  expect(spec.linux.maskedPaths).toContain('/proc/kcore');
});

test("it takes no option from the machine's cgroup file system, which it shares", () => {
  const spec = buildPauseSpec(pauseInput({ facts: hostFacts({ cgroupOptions: ['memory_recursiveprot'] }) }));
  expect(spec.linux.namespaces).not.toContainEqual({ type: 'cgroup' });
  const mount = spec.mounts.find(({ type }) => type === 'cgroup');
  expect(mount?.options).toContain('memory_recursiveprot');
});

test.each([
  ['nobody', {}, { uid: 65535, gid: 65535, additionalGids: [65535] }],
  ['nobody in groups', { supplementalGroups: ['7'] }, { uid: 65535, gid: 65535, additionalGids: [65535, 7] }],
  ['the user of the pod', { runAsUser: { value: '5' } }, { uid: 5, gid: 0, additionalGids: [0] }],
  [
    'its group and groups',
    { runAsUser: { value: '5' }, runAsGroup: { value: '6' }, supplementalGroups: ['7'] },
    { uid: 5, gid: 6, additionalGids: [6, 7] },
  ],
])('it runs as %s', (_, security, user) => {
  const input = pauseInput({ config: sandboxConfig({ linux: sandboxLinux(security) }) });
  expect(buildPauseSpec(input).process.user).toEqual(user);
});

test('its guards', () => {
  const confinement = {
    seccomp: { kind: 'default' },
    apparmor: 'a',
    selinux: { process: 'p', mount: 'm' },
  } as const;
  const { process, linux } = buildPauseSpec(pauseInput({ confinement }));
  expect(process).toMatchObject({ apparmorProfile: 'a', selinuxLabel: 'p' });
  expect(linux).toMatchObject({ mountLabel: 'm', seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } });
});

test.each<[string, Partial<PauseSpecInput>, unknown[], string | undefined]>([
  [
    'pinned',
    { namespaces: { network: pinned('net'), ipc: HOST, uts: pinned('uts') } },
    [
      { type: 'pid' },
      { type: 'network', path: '/run/cristal/pods/web/net' },
      { type: 'uts', path: '/run/cristal/pods/web/uts' },
      { type: 'mount' },
    ],
    undefined,
  ],
  [
    'its own',
    { namespaces: { network: NEW, ipc: NEW, uts: NEW } },
    [{ type: 'pid' }, { type: 'network' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }],
    'web-0',
  ],
])('namespaces: %s', (_, over, namespaces, hostname) => {
  const spec = buildPauseSpec(pauseInput(over));
  expect(spec.linux.namespaces).toEqual(namespaces);
  expect(spec.hostname).toBe(hostname);
});

test('where the OOM score cannot be lowered ours is the least', () => {
  const facts = hostFacts({ mayLowerOomScore: false, oomScoreAdj: 5 });
  expect(buildPauseSpec(pauseInput({ facts })).process.oomScoreAdj).toBe(5);
});

test("the annotations name the pod and its resources, by containerd's keys", () => {
  const linux = {
    cgroupParent: '',
    securityContext: null,
    sysctls: {},
    overhead: null,
    resources: criResources({ cpuPeriod: '100000', cpuQuota: '5000', cpuShares: '51' }),
  };
  const spec = buildPauseSpec(pauseInput({ config: sandboxConfig({ linux }) }));
  expect(spec.annotations).toEqual({
    'io.kubernetes.cri.container-type': 'sandbox',
    'io.kubernetes.cri.sandbox-id': 'p1',
    'io.kubernetes.cri.sandbox-name': 'web',
    'io.kubernetes.cri.sandbox-namespace': 'default',
    'io.kubernetes.cri.sandbox-uid': 'uid-1',
    'io.kubernetes.cri.sandbox-log-directory': '/var/log/pods/default_web_uid-1',
    'io.kubernetes.cri.sandbox-cpu-period': '100000',
    'io.kubernetes.cri.sandbox-cpu-quota': '5000',
    'io.kubernetes.cri.sandbox-cpu-shares': '51',
    'io.kubernetes.cri.sandbox-memory': '0',
  });
});
