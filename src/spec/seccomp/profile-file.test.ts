import { describe, expect, test } from 'vitest';
import { effectOf } from './effect.ts';
import { readSeccompProfile } from './profile-file.ts';
import type { ProfileTerms } from './terms.ts';

const TERMS: ProfileTerms = { capabilities: ['CAP_CHOWN'], arch: 'x64', kernel: '5.10.0' };

function read(json: unknown, terms: Partial<ProfileTerms> = {}) {
  const text = typeof json === 'string' ? json : JSON.stringify(json);
  return readSeccompProfile({ path: '/p/mine.json', text }, { ...TERMS, ...terms });
}

function withRule(rule: object) {
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['chmod'], action: 'SCMP_ACT_ERRNO', ...rule }],
  };
}

describe('a profile of the user', () => {
  test('in the form of the OCI spec is kept as it is', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      listenerPath: '/run/agent.sock',
      listenerMetadata: 'm',
      syscalls: [
        {
          names: ['clone'],
          action: 'SCMP_ACT_NOTIFY',
          errnoRet: 1,
          args: [{ index: 0, value: 2_080_505_856, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
        },
      ],
    };
    expect(read(profile)).toEqual(profile);
  });

  test('without anything but an action', () => {
    expect(read({ defaultAction: 'SCMP_ACT_LOG', syscalls: null })).toEqual({
      defaultAction: 'SCMP_ACT_LOG',
      architectures: [],
      syscalls: [],
    });
  });

  test("Docker's map of architectures and its single name", () => {
    const made = read({
      defaultAction: 'SCMP_ACT_ERRNO',
      archMap: [
        { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
        { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
      ],
      syscalls: [{ name: 'read', action: 'SCMP_ACT_ALLOW', comment: 'of course' }],
    });
    expect(made.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
    expect(effectOf(made, 'read')).toBe('ALLOW');
  });

  test.each<[string, object, Partial<ProfileTerms>, boolean]>([
    ['a capability that is held', { includes: { caps: ['CAP_CHOWN'] } }, {}, true],
    ['one that is not', { includes: { caps: ['CAP_CHOWN', 'CAP_BPF'] } }, {}, false],
    ['but for one that is held', { excludes: { caps: ['CAP_CHOWN', 'CAP_BPF'] } }, {}, false],
    ['but for one that is not', { excludes: { caps: ['CAP_BPF'] } }, {}, true],
    ['this architecture', { includes: { arches: ['amd64', 'arm'] } }, {}, true],
    ['another', { includes: { arches: ['arm64'] } }, {}, false],
    ['but for another', { excludes: { arches: ['arm64'] } }, { arch: 'arm64' }, false],
    ['a kernel that is new enough', { includes: { minKernel: '4.8' } }, {}, true],
    ['one that is not', { includes: { minKernel: '5.11' } }, {}, false],
    ['but for new ones', { excludes: { minKernel: '5.10' } }, {}, false],
    ['but for newer ones', { excludes: { minKernel: '6.0' } }, {}, true],
  ])('a rule for %s', (_, condition, terms, applies) => {
    expect(effectOf(read(withRule(condition), terms), 'chmod')).toBe(applies ? 'ERRNO' : 'default');
  });

  test.each<[unknown, RegExp]>([
    ['{', /JSON/],
    [[], /the profile is not an object/],
    [{}, /defaultAction undefined is not known/],
    [{ defaultAction: 'DENY' }, /defaultAction "DENY" is not known/],
    [{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['x86'] }, /architecture "x86" is not known/],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: {} }, /syscalls is not a list/],
    [withRule({ action: 'NO' }), /syscalls\[0\]\.action "NO" is not known/],
    [withRule({ names: [] }), /syscalls\[0\] names no system call/],
    [withRule({ names: 'chmod' }), /names is not a list/],
    [withRule({ names: [1] }), /names is not a string/],
    [withRule({ args: [{ index: 0, value: 1, op: 'IS' }] }), /args\[0\]\.op "IS" is not known/],
    [
      withRule({ args: [{ index: 0, value: -1, op: 'SCMP_CMP_EQ' }] }),
      /args\[0\]\.value is not a whole number/,
    ],
    [
      withRule({ args: [{ index: 0, value: 2 ** 60, op: 'SCMP_CMP_EQ' }] }),
      /args\[0\]\.value is not a whole number/,
    ],
  ])('%j is refused', (json, message) => {
    expect(() => read(json)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => read(json)).toThrow(message);
    expect(() => read(json)).toThrow(/^seccomp profile \/p\/mine\.json: /);
  });
});
