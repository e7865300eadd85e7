import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld } from './faults/world.ts';
import { outputOf } from './fixtures/outputs.ts';
import type { ContainerdVersion } from './fixtures/tools.ts';

// No driver has these numbers: opening one that the cgroup allows says so, and not "Operation not permitted".
const MAJOR = '250';
const ALLOWED = 'No such device or address';
const DENIED = 'Operation not permitted';

describe.each<ContainerdVersion>(['1.6', '2.3'])('devices on containerd %s', (version) => {
  let world: FaultWorld;
  let pod: PodConfig;
  let podId: string;
  let dir: string;

  beforeAll(async () => {
    world = await createFaultWorld(version, {
      settings: ['device_ownership_from_security_context = true'],
      tables: ['[runtimes.bare]', 'privileged_without_host_devices = true'],
    });
    dir = join(world.logs, 'dev');
    mkdirSync(join(dir, 'card'), { recursive: true });
    for (const [name, minor] of [
      ['one', '1'],
      ['card/two', '2'],
      ['card/three', '3'],
    ] as const) {
      execFileSync('mknod', ['-m', '0640', join(dir, name), 'c', MAJOR, minor]);
    }
    symlinkSync('one', join(dir, 'link'));
    pod = world.pod('main');
    // The pod's shim ends with its last container, and is then in the way of the next one.
    ({ podId } = await world.runContainer(pod, world.container('keeper')));
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  const run = async (name: string, script: string, change: object, inPod = { podId, pod }) =>
    await outputOf(world, inPod, world.container(name, ['sh', '-c', `exec 2>&1; ${script}`], change));

  test('a device is there under its new name, and may be used only as its permissions say', async () => {
    const devices = [{ hostPath: join(dir, 'link'), containerPath: '/dev/mine', permissions: 'r' }];
    const printed = await run('one', 'ls -ln /dev/mine; cat /dev/mine; echo x > /dev/mine', { devices });
    const [listed, read, written] = printed.split('\n');
    expect(listed).toMatch(/^crw-r----- +1 0 +0 +250, +1 .* \/dev\/mine$/);
    expect(read).toContain(ALLOWED);
    expect(written).toContain(DENIED);
  });

  test('the devices below a directory keep their names, and belong to the user of the container', async () => {
    const devices = [{ hostPath: join(dir, 'card'), containerPath: '/dev/card', permissions: 'rw' }];
    const linux = { securityContext: { runAsUser: { value: 7 }, runAsGroup: { value: 8 } } };
    const printed = await run('card', 'cd /dev/card; stat -c "%n %u %g" *; cat two', { devices, linux });
    expect(printed).toBe(`three 7 8\ntwo 7 8\ncat: can't open 'two': ${ALLOWED}\n`);
  });

  test.each([
    ['missing', 'none', /device .*\/none: no such device/],
    ['of another kind', '..', /device .*: /],
  ])('one that is %s is refused, and none is made', async (name, path, message) => {
    const devices = [
      { hostPath: join(dir, 'card', path === '..' ? '../../main' : path), containerPath: '/dev/x' },
    ];
    const asked = world.createContainer(podId, pod, world.container(name, ['true'], { devices }));
    await expect(asked).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  test('privileged: the devices of the host, unless the handler keeps them out', async () => {
    const linux = { securityContext: { privileged: true } };
    const show = 'ls /dev | grep -c .; test -e /dev/kmsg && echo kmsg';
    expect(await run('privileged', show, { linux })).toContain('kmsg');
    const bare = world.pod('bare');
    const inPod = { pod: bare, podId: await world.runPod(bare, 'bare') };
    expect(await run('bare', show, { linux }, inPod)).not.toContain('kmsg');
  });
});
