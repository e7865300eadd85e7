import { describe, expect, it, test } from 'vitest';
import type { LinuxSandboxSecurityContext__Output as SandboxSecurity } from '../gen/runtime/v1/LinuxSandboxSecurityContext.ts';
import type { NamespaceMode__Output as Mode } from '../gen/runtime/v1/NamespaceMode.ts';
import type { NamespaceOption__Output as NamespaceOption } from '../gen/runtime/v1/NamespaceOption.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import type { NamespaceRef } from '../spec/input.ts';
import {
  checkNamespaces,
  containerNamespaces,
  ownNamespaces,
  refuseUnsupported,
  sharesPids,
} from './namespaces.ts';

const options = (over: Partial<NamespaceOption> = {}): NamespaceOption => ({
  network: 'POD',
  pid: 'CONTAINER',
  ipc: 'POD',
  targetId: '',
  usernsOptions: null,
  ...over,
});

function pod(namespaceOptions: NamespaceOption | null): PodSandboxConfig {
  const securityContext = { namespaceOptions } as SandboxSecurity;
  return { linux: { securityContext } } as PodSandboxConfig;
}

const bare = { linux: null } as PodSandboxConfig;
const pins = { dir: '/pins', pausePid: 0, targetPid: 0 };
const at = (path: string): NamespaceRef => ({ kind: 'path', path });

describe('what a pod has for itself', () => {
  it.each<[string, PodSandboxConfig, { network: boolean; ipc: boolean; uts: boolean }]>([
    ['no Linux part', bare, { network: true, ipc: true, uts: true }],
    ['no options', pod(null), { network: true, ipc: true, uts: true }],
    ['an ordinary pod', pod(options()), { network: true, ipc: true, uts: true }],
    ['host network', pod(options({ network: 'NODE' })), { network: false, ipc: true, uts: false }],
    ['host IPC', pod(options({ ipc: 'NODE' })), { network: true, ipc: false, uts: true }],
  ])('%s', (_name, config, own) => {
    expect(ownNamespaces(config)).toEqual(own);
  });

  it.each<[string, PodSandboxConfig, boolean]>([
    ['no Linux part', bare, false],
    ['no options', pod(null), false],
    ['POD', pod(options({ pid: 'POD' })), true],
    ['CONTAINER', pod(options()), false],
    ['NODE', pod(options({ pid: 'NODE' })), false],
  ])('shares pids, %s: %s', (_name, config, shares) => {
    expect(sharesPids(config)).toBe(shares);
  });
});

describe('namespaces of a container', () => {
  test('are the pins of its pod', () => {
    expect(containerNamespaces(pod(options()), options(), pins)).toEqual({
      network: at('/pins/net'),
      ipc: at('/pins/ipc'),
      uts: at('/pins/uts'),
      pid: { kind: 'new' },
    });
  });

  test('are those of the host where the pod has none', () => {
    const host = options({ network: 'NODE', ipc: 'NODE', pid: 'NODE' });
    expect(containerNamespaces(pod(host), host, pins)).toEqual({
      network: { kind: 'host' },
      ipc: { kind: 'host' },
      uts: { kind: 'host' },
      pid: { kind: 'host' },
    });
  });

  it.each<[Mode, number, NamespaceRef]>([
    ['POD', 7, at('/proc/7/ns/pid')],
    ['POD', 0, { kind: 'new' }],
    ['CONTAINER', 7, { kind: 'new' }],
    ['TARGET', 7, at('/proc/9/ns/pid')],
  ])('pid mode %s with pause process %d', (pid, pausePid, expected) => {
    const found = containerNamespaces(pod(options()), options({ pid }), {
      dir: '/p',
      pausePid,
      targetPid: 9,
    });
    expect(found.pid).toEqual(expected);
  });

  test('without options of its own a container follows its pod', () => {
    const found = containerNamespaces(pod(options({ pid: 'NODE' })), null, pins);
    expect(found.pid).toEqual({ kind: 'host' });
  });

  test("what a container shares with its pod is the host's where the pod has that", () => {
    const host = pod(options({ network: 'NODE', ipc: 'NODE', pid: 'NODE' }));
    const shared = containerNamespaces(host, options({ pid: 'POD' }), pins);
    expect(Object.values(shared)).toEqual(Array.from({ length: 4 }, () => ({ kind: 'host' })));
    expect(containerNamespaces(host, options(), pins).pid).toEqual({ kind: 'new' });
  });
});

const ABLE = { userNamespaces: true };
const range = (over: object = {}) => ({ containerId: 0, hostId: 65_536, length: 65_536, ...over });
const userns = (over: object = {}) =>
  options({ usernsOptions: { mode: 'POD', uids: [range()], gids: [range()], ...over } });

test.each<[string, NamespaceOption | null]>([
  ['nothing', null],
  ['options', options()],
  ['a user namespace', userns()],
  ['a user namespace on the network of the host', { ...userns(), network: 'NODE' }],
  ['the user namespace of the machine', userns({ mode: 'NODE', uids: [], gids: [] })],
])('a pod with %s is fine', (_, wanted) => {
  expect(() => refuseUnsupported(wanted ? pod(wanted) : bare, ABLE)).not.toThrow();
});

test.each<[string, NamespaceOption, RegExp]>([
  ['TARGET', options({ pid: 'TARGET' }), /TARGET/],
  ['no mappings', userns({ uids: [] }), /exactly one user id mapping is needed, got 0/],
  [
    'two mappings',
    userns({ gids: [range(), range({ containerId: 9 })] }),
    /exactly one group id mapping .* got 2/,
  ],
  ['an empty mapping', userns({ uids: [range({ length: 0 })] }), /length 0/],
  ['no root', userns({ gids: [range({ containerId: 1 })] }), /have to map id 0/],
  ['NODE with mappings', userns({ mode: 'NODE' }), /NODE takes no id mappings/],
  ['mode CONTAINER', userns({ mode: 'CONTAINER' }), /no user namespace mode CONTAINER/],
  ['mode TARGET', userns({ mode: 'TARGET' }), /no user namespace mode TARGET/],
  ['the pids of the host', { ...userns(), pid: 'NODE' }, /pid namespace of the host/],
  ['the ipc of the host', { ...userns(), ipc: 'NODE' }, /ipc namespace of the host/],
])('a pod with %s is refused', (_, wanted, message) => {
  const refusal = { code: 'invalid_argument', message: expect.stringMatching(message) };
  expect(() => refuseUnsupported(pod(wanted), ABLE)).toThrow(expect.objectContaining(refusal));
});

test.each([undefined, { userNamespaces: false }])(
  'a user namespace is refused where there is none: %j',
  (able) => {
    const refusal = { code: 'failed_precondition', message: expect.stringMatching(/^user namespaces: /) };
    expect(() => refuseUnsupported(pod(userns()), able)).toThrow(expect.objectContaining(refusal));
  },
);

const HOST = { network: 'NODE', pid: 'NODE', ipc: 'NODE' } as const;

test.each<[string, NamespaceOption | null, NamespaceOption | null]>([
  ['none, as its pod', null, null],
  ['none, and its pod has', options(HOST), null],
  ['those of its pod', options(), options()],
  ["those of its pod, which are the host's", options(HOST), options(HOST)],
  ["its own pids in a pod that has the host's", options(HOST), options({ ...HOST, pid: 'CONTAINER' })],
  ['what "not set" looks like in a pod that has the host\'s', options(HOST), options({ pid: 'POD' })],
  ['what "not set" looks like in a pod without', null, options({ pid: 'POD' })],
  ['CONTAINER, which is POD', options(), options({ network: 'CONTAINER', ipc: 'CONTAINER' })],
  ['the pids of a target', options(), options({ pid: 'TARGET', targetId: 'x' })],
  ['ids as its pod', userns(), userns()],
  ['no ids, as its pod', options(), userns({ mode: 'NODE', uids: [], gids: [] })],
])('a container with namespaces: %s', (_, ofPod, own) => {
  expect(() => checkNamespaces(ofPod ? pod(ofPod) : bare, own)).not.toThrow();
});

test.each<[string, NamespaceOption | null, NamespaceOption | null, RegExp]>([
  ['the network of the host', options(), options({ network: 'NODE' }), /^the network namespace of the host /],
  ['the ipc of the host', options(), options({ ipc: 'NODE' }), /^the ipc namespace of the host /],
  ['the pids of the host', options(), options({ pid: 'NODE' }), /^the pid namespace of the host /],
  ['the pids of the host in a pod without options', null, options({ pid: 'NODE' }), /^the pid namespace /],
  ['the pids of the host with ids', userns(), { ...userns(), pid: 'NODE' }, /^the pid namespace /],
  ['the network of a target', options(), options({ network: 'TARGET' }), /^network namespace mode TARGET/],
  ['the ipc of a target', options(HOST), options({ ipc: 'TARGET' }), /^ipc namespace mode TARGET/],
  ['other ids', userns(), userns({ uids: [range({ hostId: 1 })] }), /user namespace options/],
  ['no ids, but its pod some', userns(), options(), /user namespace options/],
  ['ids, but its pod none', options(), userns(), /user namespace options/],
])('a container with namespaces is refused: %s', (_, ofPod, own, message) => {
  const refusal = { code: 'invalid_argument', message: expect.stringMatching(message) };
  const check = () => checkNamespaces(ofPod ? pod(ofPod) : bare, own);
  expect(check).toThrow(expect.objectContaining(refusal));
});
