import { describe, expect, test } from 'vitest';
import type { Device__Output } from '../gen/runtime/v1/Device.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { withDevices } from './devices.ts';
import { hostFacts } from './fixtures.ts';

interface Wish {
  devices?: Device__Output[];
  privileged?: boolean;
  privilegedWithoutHostDevices?: boolean;
  sources?: Record<string, string>;
}

function devicesOf(wish: Wish) {
  const option = withDevices({
    devices: [],
    privileged: false,
    privilegedWithoutHostDevices: false,
    sources: {},
    hostDevices: hostFacts().hostDevices,
    ...wish,
  });
  const { devices, resources } = buildSpec(EMPTY_SPEC, [option]).linux;
  return { paths: devices.map(({ path }) => path), devices, rules: resources.devices };
}

function device(hostPath: string, containerPath = '', permissions = ''): Device__Output {
  return { hostPath, containerPath, permissions };
}

const DENY_ALL = { allow: false, access: 'rwm' };

describe('withDevices', () => {
  test('nothing asked: only what the runtime makes', () => {
    expect(devicesOf({})).toEqual({ paths: [], devices: [], rules: [DENY_ALL] });
  });

  test('one device under another name, with its permissions', () => {
    const { devices, rules } = devicesOf({ devices: [device('/dev/vda', '/dev/xvda', 'r')] });
    expect(devices).toEqual([
      { path: '/dev/xvda', type: 'b', major: 254, minor: 0, fileMode: 0o660, uid: 0, gid: 6 },
    ]);
    expect(rules).toEqual([DENY_ALL, { allow: true, type: 'b', major: 254, minor: 0, access: 'r' }]);
  });

  test('a directory: all devices below it, below the path in the container', () => {
    const { paths, rules } = devicesOf({ devices: [device('/dev/snd', '/dev/audio')] });
    expect(paths).toEqual(['/dev/audio/timer', '/dev/audio/seq']);
    expect(rules).toHaveLength(3);
  });

  test('a symbolic link: what it leads to, under the name asked for', () => {
    const { devices } = devicesOf({ devices: [device('/dev/disk0')], sources: { '/dev/disk0': '/dev/vda' } });
    expect(devices).toMatchObject([{ path: '/dev/disk0', major: 254 }]);
  });

  test("privileged: all of the machine's but the runtime's own, and all may be opened", () => {
    const { paths, rules } = devicesOf({ privileged: true, devices: [device('/dev/vda', '/dev/xvda')] });
    expect(paths).toEqual(['/dev/null', '/dev/snd/timer', '/dev/snd/seq', '/dev/vda', '/dev/xvda']);
    expect(rules).toEqual([{ allow: true, access: 'rwm' }]);
  });

  test('privileged without host devices: only those asked for', () => {
    const wish = { privileged: true, privilegedWithoutHostDevices: true, devices: [device('/dev/vda')] };
    const { paths, rules } = devicesOf(wish);
    expect(paths).toEqual(['/dev/vda']);
    expect(rules?.[0]).toEqual(DENY_ALL);
  });

  test.each([
    ['no device', device('/dev/nothing'), /no device of this machine/],
    ['a prefix of a name', device('/dev/vd'), /no device of this machine/],
    ['strange permissions', device('/dev/vda', '', 'rx'), /permissions "rx"/],
    ['permissions said twice', device('/dev/vda', '', 'rr'), /permissions "rr"/],
  ])('%s is refused', (_, wanted, message) => {
    const call = () => devicesOf({ devices: [wanted] });
    expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(call).toThrow(message);
  });
});
