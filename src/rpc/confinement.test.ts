import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultConfig } from '../config/schema.ts';
import type { LinuxContainerSecurityContext__Output as Security } from '../gen/runtime/v1/LinuxContainerSecurityContext.ts';
import type { LinuxSandboxSecurityContext__Output as PodSecurity } from '../gen/runtime/v1/LinuxSandboxSecurityContext.ts';
import { Apparmor } from '../host/apparmor.ts';
import type { HostFacts } from '../lib/host-facts.ts';
import {
  containerConfig,
  hostFacts,
  sandboxConfig,
  sandboxLinux,
  securityContext,
} from '../spec/fixtures.ts';
import { containerConfinement, pauseConfinement } from './confinement.ts';

const dir = mkdtempSync(join(tmpdir(), 'cristal-confinement-'));
const POD_ID = '1'.repeat(64);
const CONTEXTS = { process: 'u:r:container_t:s0', file: 'u:object_r:file_t:s0' };
const LABELS = { user: 'own_u', role: '', type: '', level: 's0:c1,c2' };
const DEFAULT = { profileType: 'RuntimeDefault', localhostRef: '' } as const;

beforeAll(() => {
  mkdirSync(join(dir, 'apparmor'));
  writeFileSync(join(dir, 'apparmor/profiles'), 'cristal-default (enforce)\nmine (complain)\n');
  writeFileSync(join(dir, 'profile.json'), '{}');
  writeFileSync(join(dir, 'large.json'), Buffer.alloc((1 << 20) + 1));
});

afterAll(() => rmSync(dir, { recursive: true }));

interface Machine {
  facts?: Partial<HostFacts>;
  /** What the runtime says of seccomp. */
  seccomp?: boolean;
  unset?: string;
  selinux?: 'auto' | 'off';
}

function needs({ facts, seccomp = true, unset = 'unconfined', selinux = 'auto' }: Machine) {
  const able = { recursiveReadOnly: false, idMappedMounts: false, userNamespaces: false, seccomp };
  return {
    abilities: new Map([['runc', able]]),
    apparmor: new Apparmor({ fs: join(dir, 'apparmor'), parser: '/bin/false', includes: dir }),
    config: { ...defaultConfig(), unsetSeccompProfile: unset, selinux },
    facts: hostFacts(facts),
  };
}

function pod(security: Partial<PodSecurity> = {}) {
  return { id: POD_ID, config: sandboxConfig({ linux: sandboxLinux(security) }), runtimeHandler: 'runc' };
}

async function confine(asked: Partial<Security>, machine: Machine = {}, inPod = pod()) {
  const linux = { resources: null, securityContext: securityContext(asked) };
  return await containerConfinement(needs(machine), containerConfig({ linux }), inPod);
}

describe('a container', () => {
  test('that says nothing has nothing where the machine has nothing', async () => {
    expect(await confine({})).toEqual({ seccomp: { kind: 'none' }, apparmor: null, selinux: null });
    const without = await containerConfinement(needs({}), containerConfig({ linux: null }), pod());
    expect(without).toEqual(await confine({}));
  });

  test('has the defaults of the machine and of the settings', async () => {
    const machine = { facts: { apparmor: true, selinux: CONTEXTS }, unset: 'runtime/default' };
    const made = await confine({}, machine);
    expect(made).toMatchObject({ seccomp: { kind: 'default' }, apparmor: 'cristal-default' });
    expect(made.selinux?.process).toMatch(/^u:r:container_t:s0:c\d+,c\d+$/);
  });

  test('has what it names, with the text of its profile', async () => {
    const path = join(dir, 'profile.json');
    const asked = {
      seccomp: { profileType: 'Localhost', localhostRef: path },
      apparmorProfile: 'localhost/mine',
      selinuxOptions: LABELS,
    } as const;
    const facts = { apparmor: true, selinux: CONTEXTS };
    expect(await confine(asked, { facts }, pod({ selinuxOptions: { ...LABELS, type: 'pod_t' } }))).toEqual({
      seccomp: { kind: 'localhost', path, text: '{}' },
      apparmor: 'mine',
      selinux: { process: 'own_u:r:pod_t:s0:c1,c2', mount: 'own_u:object_r:file_t:s0:c1,c2' },
    });
  });

  test.each<[string, Partial<Security>, Machine, string, RegExp]>([
    [
      'no seccomp in the kernel',
      { seccomp: DEFAULT },
      { facts: { seccomp: false } },
      'failed_precondition',
      /this kernel has no filters/,
    ],
    [
      'none in the runtime',
      { seccomp: DEFAULT },
      { seccomp: false },
      'failed_precondition',
      /handler "runc" was built without/,
    ],
    ['no AppArmor', { apparmor: DEFAULT }, {}, 'failed_precondition', /no AppArmor/],
    [
      'no such AppArmor profile',
      { apparmorProfile: 'localhost/theirs' },
      { facts: { apparmor: true } },
      'failed_precondition',
      /"theirs" is not loaded/,
    ],
    ['no SELinux', { selinuxOptions: LABELS }, {}, 'failed_precondition', /no SELinux; selinux = "off"/],
    [
      'no such file',
      { seccompProfilePath: `localhost/${dir}/none` },
      {},
      'failed_precondition',
      /none.*no such file/,
    ],
    [
      'a file too large',
      { seccompProfilePath: `localhost/${dir}/large.json` },
      {},
      'invalid_argument',
      /large\.json: it has 1048577 bytes/,
    ],
  ])('is refused for %s', async (_, asked, machine, code, message) => {
    await expect(confine(asked, machine)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test.each<[string, Partial<Security>, Machine]>([
    ['privileged, with everything asked', { privileged: true, seccomp: DEFAULT, selinuxOptions: LABELS }, {}],
    ['a default where the kernel cannot', {}, { facts: { seccomp: false }, unset: 'runtime/default' }],
    ['a default where the runtime cannot', {}, { seccomp: false, unset: 'runtime/default' }],
    [
      'labels where they are ignored',
      { selinuxOptions: LABELS },
      { selinux: 'off', facts: { selinux: CONTEXTS } },
    ],
  ])('goes without: %s', async (_, asked, machine) => {
    expect(await confine(asked, machine)).toEqual({
      seccomp: { kind: 'none' },
      apparmor: null,
      selinux: null,
    });
  });

  test('asks for labels by its pod as well', async () => {
    await expect(confine({}, {}, pod({ selinuxOptions: LABELS }))).rejects.toMatchObject({
      code: 'failed_precondition',
    });
  });
});

describe('a pause container', () => {
  test.each<[string, Partial<PodSecurity> | null, Machine, object]>([
    ['no word of the pod', null, {}, { seccomp: { kind: 'default' } }],
    [
      'no word of a profile',
      {},
      { facts: { apparmor: true } },
      { seccomp: { kind: 'default' }, apparmor: 'cristal-default' },
    ],
    ['no seccomp in the kernel', {}, { facts: { seccomp: false } }, { seccomp: { kind: 'none' } }],
    [
      'an unconfined pod',
      { seccomp: { profileType: 'Unconfined', localhostRef: '' } },
      {},
      { seccomp: { kind: 'none' } },
    ],
    [
      'a privileged pod',
      { privileged: true },
      { facts: { selinux: CONTEXTS } },
      { seccomp: { kind: 'none' }, selinux: { process: '' } },
    ],
  ])('%s', async (_, security, machine, expected) => {
    const one = security === null ? { ...pod(), config: sandboxConfig() } : pod(security);
    expect(await pauseConfinement(needs(machine), one)).toMatchObject(expected);
  });

  test('is refused with the pod that asks for what cannot be had', async () => {
    await expect(pauseConfinement(needs({}), pod({ apparmor: DEFAULT }))).rejects.toMatchObject({
      code: 'failed_precondition',
    });
  });
});
