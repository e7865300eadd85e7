import { describe, expect, it, test } from 'vitest';
import type { LinuxSandboxSecurityContext__Output as SandboxSecurity } from '../gen/runtime/v1/LinuxSandboxSecurityContext.ts';
import type { NamespaceMode__Output as Mode } from '../gen/runtime/v1/NamespaceMode.ts';
import type { NamespaceOption__Output as NamespaceOption } from '../gen/runtime/v1/NamespaceOption.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import type { NamespaceRef } from '../spec/input.ts';
import { containerNamespaces, ownNamespaces, refuseUnsupported, sharesPids } from './namespaces.ts';

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
    ['NODE', 7, { kind: 'host' }],
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
});

test('TARGET is refused for a pod, and user namespaces are not served', () => {
  const userns = { mode: 'POD', uids: [], gids: [] } as const;
  expect(() => refuseUnsupported(pod(options({ pid: 'TARGET' })))).toThrow(/TARGET/);
  expect(() => refuseUnsupported(pod(options({ usernsOptions: { ...userns, uids: [], gids: [] } })))).toThrow(
    /user namespaces/,
  );
  expect(() => refuseUnsupported(pod(options()))).not.toThrow();
  expect(() => refuseUnsupported(bare)).not.toThrow();
});
