import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deviceAt, deviceNumbers, devicesAt, readHostDevices } from './devices.ts';

const NULL = { type: 'c', major: 1, minor: 3 };

describe.skipIf(process.getuid?.() !== 0)('devices', () => {
  let dir: string;

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'devices-'));
    mkdirSync(join(dir, 'card/deep'), { recursive: true });
    mkdirSync(join(dir, 'empty'));
    execFileSync('mknod', [join(dir, 'card/null'), 'c', '1', '3']);
    execFileSync('mknod', [join(dir, 'card/deep/zero'), 'c', '1', '5']);
    writeFileSync(join(dir, 'card/notes'), 'no device');
    symlinkSync('card', join(dir, 'link'));
    symlinkSync('nothing', join(dir, 'dangling'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  test('a device', async () => {
    expect(await devicesAt('/dev/null')).toMatchObject({ realPath: '/dev/null', devices: [NULL] });
  });

  test('a directory, through a link: what is below it, and no plain files', async () => {
    const { realPath, devices } = await devicesAt(join(dir, 'link'));
    expect(realPath).toBe(join(dir, 'card'));
    expect(devices.map(({ path, minor }) => [path, minor])).toEqual(
      expect.arrayContaining([
        [join(dir, 'card/null'), 3],
        [join(dir, 'card/deep/zero'), 5],
      ]),
    );
    expect(devices).toHaveLength(2);
  });

  test.each([
    ['nothing', /device .*nothing: no such device/],
    ['dangling', /device .*dangling: no such device/],
    ['card/notes', /device .*notes: this is not a device/],
    ['empty', /device .*empty: no device is in this directory/],
  ])('%s is refused by its name', async (name, message) => {
    await expect(devicesAt(join(dir, name))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message) as string,
    });
  });

  test.each([
    ['link/null', NULL],
    ['nothing', null],
    ['card/notes', null],
  ])('the one device at %s', async (name, expected) => {
    const device = await deviceAt(join(dir, name));
    if (expected === null) expect(device).toBeNull();
    else expect(device).toMatchObject(expected);
  });
});

test('the devices of the host', async () => {
  const devices = await readHostDevices();
  expect(devices).toContainEqual(expect.objectContaining({ ...NULL, path: '/dev/null', mode: 0o666 }));
  expect(devices.map(({ path }) => path)).not.toContain('/dev/console');
});

test.each([
  [0x103n, { major: 1, minor: 3 }],
  [0x1234_5678n, { major: 0x456, minor: 0x1_2378 }],
])('device number %s', (rdev, numbers) => {
  expect(deviceNumbers(rdev)).toEqual(numbers);
});
