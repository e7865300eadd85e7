import { describe, expect, test } from 'vitest';
import type { Device__Output } from '../gen/runtime/v1/Device.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { withDevices } from './devices.ts';
import { HOST_DEVICES } from './fixtures.ts';
import type { FoundDevice } from './input.ts';
import type { OciSpec } from './oci.ts';

interface Wish {
  devices?: FoundDevice[];
  privileged?: boolean;
  host?: { withoutHostDevices: boolean; allAllowed: boolean };
  owner?: { uid: number | null; gid: number | null };
}

function devicesOf(wish: Wish) {
  const option = withDevices({
    devices: [],
    privileged: false,
    host: { withoutHostDevices: false, allAllowed: false },
    owner: { uid: null, gid: null },
    hostDevices: HOST_DEVICES,
    ...wish,
  });
  const { devices, resources } = buildSpec(EMPTY_SPEC, [option]).linux;
  return { paths: devices.map(({ path }) => path), devices, rules: resources.devices };
}

/** What the config says, and what is at the end of its host path. */
function device(hostPath: string, more: Partial<Device__Output> & { realPath?: string } = {}): FoundDevice {
  const { realPath = hostPath, containerPath = '', permissions = '' } = more;
  return {
    device: { hostPath, containerPath, permissions },
    realPath,
    devices: HOST_DEVICES.filter(({ path }) => path === realPath || path.startsWith(`${realPath}/`)),
  };
}

const DENY_ALL = { allow: false, access: 'rwm' };

describe('withDevices', () => {
  test('nothing asked: only what the runtime makes', () => {
    expect(devicesOf({})).toEqual({ paths: [], devices: [], rules: [DENY_ALL] });
  });

  test('one device under another name, with its permissions', () => {
    const { devices, rules } = devicesOf({
      devices: [device('/dev/vda', { containerPath: '/dev/xvda', permissions: 'r' })],
    });
    expect(devices).toEqual([
      { path: '/dev/xvda', type: 'b', major: 254, minor: 0, fileMode: 0o660, uid: 0, gid: 6 },
    ]);
    expect(rules).toEqual([DENY_ALL, { allow: true, type: 'b', major: 254, minor: 0, access: 'r' }]);
  });

  test('a directory: all devices below it, below the path in the container', () => {
    const { paths, rules } = devicesOf({ devices: [device('/dev/snd', { containerPath: '/dev/audio' })] });
    expect(paths).toEqual(['/dev/audio/timer', '/dev/audio/seq']);
    expect(rules).toHaveLength(3);
  });

  test('a symbolic link: what it leads to, under the name asked for', () => {
    const { devices } = devicesOf({ devices: [device('/dev/disk0', { realPath: '/dev/vda' })] });
    expect(devices).toMatchObject([{ path: '/dev/disk0', major: 254 }]);
  });

  test("privileged: all of the machine's but the runtime's own, and all may be opened", () => {
    const { paths, rules } = devicesOf({
      privileged: true,
      devices: [device('/dev/vda', { containerPath: '/dev/xvda' })],
    });
    expect(paths).toEqual(['/dev/null', '/dev/snd/timer', '/dev/snd/seq', '/dev/vda', '/dev/xvda']);
    expect(rules).toEqual([{ allow: true, access: 'rwm' }]);
  });

  test('privileged without host devices: only those asked for', () => {
    const host = { withoutHostDevices: true, allAllowed: false };
    const { paths, rules } = devicesOf({ privileged: true, host, devices: [device('/dev/vda')] });
    expect(paths).toEqual(['/dev/vda']);
    expect(rules?.[0]).toEqual(DENY_ALL);
  });

  test.each([
    ['privileged', true, [{ allow: true, access: 'rwm' }]],
    ['not privileged', false, [DENY_ALL]],
  ])('without host devices and all allowed, %s', (_, privileged, expected) => {
    const host = { withoutHostDevices: true, allAllowed: true };
    expect(devicesOf({ privileged, host })).toMatchObject({ paths: [], rules: expected });
  });

  test.each([
    ['nobody else', { uid: null, gid: null }, { uid: 0, gid: 6 }],
    ['the user', { uid: 7, gid: null }, { uid: 7, gid: 6 }],
    ['user and group', { uid: 7, gid: 8 }, { uid: 7, gid: 8 }],
  ])('the owner is %s', (_, owner, expected) => {
    expect(devicesOf({ owner, devices: [device('/dev/vda')] }).devices).toMatchObject([expected]);
  });

  test("the machine's devices keep their owners", () => {
    const { devices } = devicesOf({ privileged: true, owner: { uid: 7, gid: 8 } });
    expect(devices.find(({ path }) => path === '/dev/vda')).toMatchObject({ uid: 0, gid: 6 });
  });

  test.each([
    ['strange permissions', device('/dev/vda', { permissions: 'rx' }), /permissions "rx"/],
    ['permissions said twice', device('/dev/vda', { permissions: 'rr' }), /permissions "rr"/],
    ['a relative path', device('/dev/vda', { containerPath: 'vda' }), /"vda" is not absolute/],
  ])('%s is refused', (_, wanted, message) => {
    const call = () => devicesOf({ devices: [wanted] });
    expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(call).toThrow(message);
  });
});

test('a base spec adds devices and rules, but opens nothing to all', () => {
  const own = { path: '/dev/own', type: 'c' as const, major: 5, minor: 6, uid: 0, gid: 0 };
  const rule = { allow: true, type: 'c' as const, major: 5, minor: 6, access: 'rw' };
  const base = structuredClone<OciSpec>(EMPTY_SPEC);
  base.linux.devices = [own, { ...own, path: '/dev/vda' }];
  base.linux.resources.devices = [{ allow: true, access: 'rwm' }, rule];
  const option = withDevices({
    privileged: false,
    host: { withoutHostDevices: false, allAllowed: false },
    devices: [device('/dev/vda')],
    hostDevices: [],
    owner: { uid: null, gid: null },
  });
  const { devices, resources } = buildSpec(base, [option]).linux;
  expect(devices.map(({ path, major }) => [path, major])).toEqual([
    ['/dev/own', 5],
    ['/dev/vda', 254],
  ]);
  expect(resources.devices).toEqual([DENY_ALL, rule, expect.objectContaining({ major: 254 })]);
});
