import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld } from './faults/world.ts';
import { outputOf } from './fixtures/outputs.ts';
import { removeScratch, scratchDir } from './fixtures/scratch.ts';
import type { ContainerdVersion } from './fixtures/tools.ts';

// No driver has these numbers: opening one that the cgroup allows says so, and not "Operation not permitted".
const MAJOR = '250';
const ALLOWED = 'No such device or address';
const DENIED = 'Operation not permitted';

const spec = (kind: string, device: string, edits: object, all: object) => ({
  cdiVersion: '0.8.0',
  kind,
  devices: [{ name: device, containerEdits: edits }],
  containerEdits: all,
});

describe.each<ContainerdVersion>(['1.6', '2.3'])('devices on containerd %s', (version) => {
  let world: FaultWorld;
  let pod: PodConfig;
  let podId: string;
  let dir: string;
  let cdi: string;

  beforeAll(async () => {
    cdi = scratchDir('cdi');
    world = await createFaultWorld(version, {
      settings: [
        'device_ownership_from_security_context = true',
        `cdi_spec_dirs = ${JSON.stringify([join(cdi, 'etc'), join(cdi, 'run')])}`,
      ],
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
    removeScratch(cdi);
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
    const full = world.pod('full', { linux });
    const inFull = { pod: full, podId: await world.runPod(full) };
    expect(await run('privileged', show, { linux }, inFull)).toContain('kmsg');
    const bare = world.pod('bare', { linux });
    const inPod = { pod: bare, podId: await world.runPod(bare, 'bare') };
    expect(await run('bare', show, { linux }, inPod)).not.toContain('kmsg');
  });

  describe('CDI', () => {
    test('devices of the field and of annotations are injected, from JSON and YAML, as soon as they are there', async () => {
      const config = {
        CDIDevices: [{ name: 'vendor.com/card=0' }],
        annotations: { 'cdi.k8s.io/plugin': 'vendor.com/net=fast' },
      };
      const asked = world.container('early', ['true'], config);
      await expect(world.createContainer(podId, pod, asked)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(
          /unresolvable CDI devices: vendor.com\/card=0 .*vendor.com\/net=fast/,
        ) as string,
      });

      mkdirSync(join(cdi, 'etc'));
      mkdirSync(join(cdi, 'run'));
      const node = { path: '/dev/card0', hostPath: join(dir, 'one'), permissions: 'r', fileMode: 0o400 };
      const hooked = join(cdi, 'hooked');
      const edits = {
        deviceNodes: [node],
        env: ['CARD=0'],
        hooks: [{ hookName: 'createRuntime', path: '/bin/sh', args: ['sh', '-c', `touch ${hooked}`] }],
      };
      const mounts = [{ hostPath: dir, containerPath: '/cards', options: ['ro', 'rbind'] }];
      const json = spec('vendor.com/card', '0', edits, { mounts, additionalGids: [4711] });
      writeFileSync(join(cdi, 'etc/card.json'), JSON.stringify(json));
      const yaml = [
        'cdiVersion: "0.8.0"',
        'kind: vendor.com/net',
        'devices:',
        '  - name: fast',
        '    containerEdits:',
        '      env: ["NET=fast"]',
      ];
      writeFileSync(join(cdi, 'run/net.yaml'), yaml.join('\n'));
      const show =
        'echo $CARD $NET; stat -c "%a %t %T" /dev/card0; cat /dev/card0; echo > /dev/card0; ls /cards; id -G';
      expect((await run('cdi', show, config)).split('\n')).toEqual([
        '0 fast',
        '400 fa 1',
        expect.stringContaining(ALLOWED),
        expect.stringContaining(DENIED),
        'card',
        'link',
        'one',
        expect.stringContaining('4711'),
        '',
      ]);
      expect(existsSync(hooked)).toBe(true);
    });

    test('a broken file says what is wrong when a device is missing, and harms no other', async () => {
      writeFileSync(join(cdi, 'run/broken.json'), '{"cdiVersion": "0.8.0", "kind": "nothing"}');
      const wrong = world.container('wrong', ['true'], { CDIDevices: [{ name: 'nothing/x=1' }] });
      await expect(world.createContainer(podId, pod, wrong)).rejects.toThrow(/broken.json: kind: "nothing"/);
      const CDIDevices = [{ name: 'vendor.com/net=fast' }];
      expect(await run('other', 'echo $NET', { CDIDevices })).toBe('fast\n');
    });
  });
});
