import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ContainerConfig, FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld, failure, SLEEPER } from './faults/world.ts';
import { buildImage, busyboxLayer } from './fixtures/images.ts';
import type { Snapshot } from './fixtures/leaks.ts';
import { containerdVersions, whyNot } from './fixtures/tools.ts';

const BASE = 100_000;
const range = [{ containerId: 0, hostId: BASE, length: 65_536 }];
const ids = { uidMappings: range, gidMappings: range };

/** Three layers, with a file of a user's, a volume and a program with the set-user-ID bit. */
const layered = () =>
  buildImage({
    layers: [
      busyboxLayer(),
      {
        files: [
          { path: 'srv/', mode: 0o755 },
          { path: 'srv/file', data: 'of the image\n', uid: 1000, gid: 50 },
        ],
      },
      {
        files: [
          { path: 'vol/', uid: 12, gid: 34, mode: 0o750 },
          { path: 'vol/file', data: 'in it\n', uid: 12 },
        ],
      },
    ],
    config: { Env: ['PATH=/bin'], Cmd: ['sh'], Volumes: { '/vol': {} } },
  });

const options = (over: object = {}) => ({
  network: 'POD',
  pid: 'CONTAINER',
  ipc: 'POD',
  usernsOptions: { mode: 'POD', uids: range, gids: range },
  ...over,
});
const security = (over: object = {}) => ({
  linux: { securityContext: { namespaceOptions: options(over) } },
});

describe.each(containerdVersions)('a pod with a user namespace over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('has', () => {
    let world: FaultWorld;
    let clean: Snapshot;
    let count = 0;

    beforeAll(async () => {
      world = await createFaultWorld(version, { images: { layered: await layered() } });
    });
    beforeEach(async () => {
      clean = await world.state();
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    const newPod = (over: object = {}): PodConfig => {
      count += 1;
      const plain = world.pod(`userns-${count}`);
      const { cgroupParent } = plain['linux'] as { cgroupParent: string };
      return { ...plain, linux: { cgroupParent, ...security(over).linux } };
    };
    const config = (name: string, change: object = {}): ContainerConfig =>
      world.container(name, SLEEPER, { image: { image: world.images['layered'] }, ...security(), ...change });
    const sh = async (containerId: string, script: string) => {
      const cmd = ['sh', '-c', `{ ${script}; } 2>&1`];
      const { stdout } = await world.cri.runtime.execSync({ containerId, cmd, timeout: 10 });
      return String(stdout).trimEnd();
    };
    const remove = async (podSandboxId: string) => {
      await world.cri.runtime.removePodSandbox({ podSandboxId });
      expect(await world.left(clean)).toEqual([]);
    };

    test('a root that is nobody outside, and owns its network, files and devices inside', async () => {
      const pod = newPod();
      const { podId, id } = await world.runContainer(pod, config('main'));
      expect(await sh(id, 'cat /proc/self/uid_map /proc/self/gid_map')).toBe(
        Array.from({ length: 2 }, () => `         0     ${BASE}      65536`).join('\n'),
      );
      const { info } = await world.cri.runtime.containerStatus({ containerId: id, verbose: true });
      const { pid } = JSON.parse(info['info'] ?? '') as { pid: number };
      expect(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]).toBe(String(BASE));
      // The network is the pod's: its root may change it, given the capability.
      expect(await sh(id, 'ls /sys/class/net; hostname; cat /proc/sys/net/ipv4/ip_forward')).toContain(
        'eth0',
      );
      const look =
        'stat -c "%n %u %g" / /bin/busybox /srv/file /etc/hosts /etc/hostname /etc/resolv.conf /dev/shm';
      expect(await sh(id, look)).toBe(
        '/ 0 0\n/bin/busybox 0 0\n/srv/file 1000 50\n/etc/hosts 0 0\n/etc/hostname 0 0\n/etc/resolv.conf 0 0\n/dev/shm 0 0',
      );
      expect(
        await sh(id, 'echo 1 > /dev/null && echo x > /dev/shm/x && echo "# x" >> /etc/hosts && echo fine'),
      ).toBe('fine');
      await remove(podId);
    });

    test('files that are made and changed as the ids inside say', async () => {
      const pod = newPod();
      const { podId, id } = await world.runContainer(pod, config('main'));
      const script = 'touch /srv/new && chown 7:8 /srv/new && echo more >> /srv/file && chmod 600 /srv/file';
      await sh(id, script);
      expect(await sh(id, 'stat -c "%n %u %g %a" /srv/new /srv/file; cat /srv/file')).toBe(
        '/srv/new 7 8 644\n/srv/file 1000 50 600\nof the image\nmore',
      );
      const [mount] = JSON.parse(
        JSON.stringify(
          (await world.containerd.ctr('snapshots', 'mounts', '/x', id)).match(/upperdir=([^,\s]+)/),
        ),
      ).slice(1) as string[];
      const { uid, gid } = statSync(join(mount ?? '', 'srv/new'));
      expect([uid, gid]).toEqual([BASE + 7, BASE + 8]);
      await remove(podId);
    });

    test('volumes with its ids: of the host, of images, and those that an image declares', async () => {
      const dir = join(world.logs, `ids-${count}`);
      mkdirSync(dir);
      writeFileSync(join(dir, 'file'), 'of the host\n');
      const pod = newPod();
      const mounts = [
        { hostPath: dir, containerPath: '/mapped', ...ids },
        { hostPath: join(dir, 'file'), containerPath: '/mapped-file', ...ids },
        { hostPath: dir, containerPath: '/raw' },
        { containerPath: '/image', readonly: true, image: { image: world.images['layered'] }, ...ids },
      ];
      const { podId, id } = await world.runContainer(pod, config('main', { mounts }));
      await sh(id, 'touch /mapped/new && chown 5:6 /mapped/new');
      const paths = '/mapped/file /mapped/new /mapped-file /raw/file /image/srv/file /vol /vol/file';
      expect(await sh(id, `stat -c "%n %u %g" ${paths}`)).toBe(
        [
          '/mapped/file 0 0',
          '/mapped/new 5 6',
          '/mapped-file 0 0',
          '/raw/file 65534 65534',
          '/image/srv/file 1000 50',
          '/vol 12 34',
          '/vol/file 12 0',
        ].join('\n'),
      );
      expect(await sh(id, 'echo x > /image/srv/file || echo x > /raw/file || echo refused')).toContain(
        'refused',
      );
      const { uid, gid } = statSync(join(dir, 'new'));
      expect([uid, gid]).toEqual([5, 6]);
      await remove(podId);
    });

    test('the network of the host, when asked for, and no rights over it', async () => {
      const pod = newPod({ network: 'NODE' });
      const podId = await world.runPod(pod);
      const change = security({ network: 'NODE' });
      const id = await world.createContainer(podId, pod, config('main', change));
      await world.cri.runtime.startContainer({ containerId: id });
      expect(await sh(id, 'ls /sys/class/net; cat /proc/self/uid_map')).toMatch(
        new RegExp(`lo\\n.* ${BASE} `, 's'),
      );
      expect(await sh(id, 'ip link add dummy9 type dummy || echo refused')).toContain('refused');
      expect(
        await sh(
          id,
          'for f in /sys/kernel/uevent_helper /sys/fs/cgroup/*/cgroup.procs; do echo $$ > $f && echo written $f; done; true',
        ),
      ).not.toContain('written');
      await remove(podId);
    });

    test('a pid namespace that its containers share', async () => {
      const shared = { pid: 'POD' };
      const pod = newPod(shared);
      const podId = await world.runPod(pod);
      const id = await world.createContainer(podId, pod, config('main', security(shared)));
      await world.cri.runtime.startContainer({ containerId: id });
      expect(await sh(id, 'cat /proc/1/comm; stat -c %u /proc/1')).toMatch(/^pause\n/);
      await remove(podId);
    });

    test('no trace left after kill -9, and works on after it', async () => {
      const pod = newPod();
      const { podId, id } = await world.runContainer(pod, config('main'));
      await world.cristal.kill9();
      await world.cristal.resume();
      expect(await sh(id, 'stat -c %u /srv/file')).toBe('1000');
      const other = await world.createContainer(podId, pod, config('other'));
      await world.cri.runtime.startContainer({ containerId: other });
      expect(await sh(other, 'stat -c %u /srv/file')).toBe('1000');
      await remove(podId);
    });

    const CONTAINERS = '/containerd.services.containers.v1.Containers';
    const SNAPSHOTS = '/containerd.services.snapshots.v1.Snapshots';
    const TASKS = '/containerd.services.tasks.v1.Tasks';
    const steps = [`${SNAPSHOTS}/Prepare`, `${CONTAINERS}/Create`, `${TASKS}/Create`];
    test.each(steps)('nothing left when %s fails', async (method) => {
      const pod = newPod();
      const podId = await world.runPod(pod);
      const rule = world.proxy.rule({ method, when: 'after', action: 'fail', code: 'UNKNOWN', times: 1 });
      const making = world.createContainer(podId, pod, config('main'));
      await failure(
        making.then(async (containerId) => await world.cri.runtime.startContainer({ containerId })),
      );
      rule.remove();
      await remove(podId);
    });

    test('nothing left when the pod cannot be made', async () => {
      const rule = world.proxy.rule({
        method: `${CONTAINERS}/Create`,
        when: 'after',
        action: 'fail',
        code: 'UNKNOWN',
        times: 1,
      });
      await failure(world.runPod(newPod()));
      rule.remove();
      expect(await world.left(clean)).toEqual([]);
    });

    test('no container with other ids', async () => {
      const pod = newPod();
      const podId = await world.runPod(pod);
      const plain = { linux: { securityContext: { namespaceOptions: { pid: 'CONTAINER' } } } };
      const error = await failure(world.createContainer(podId, pod, config('main', plain)));
      expect(error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('user namespace'),
      });
      await remove(podId);
    });

    test('what Status says that it has', async () => {
      const { runtimeHandlers, features } = await world.cri.runtime.status({});
      expect(runtimeHandlers.map((handler) => handler.features?.userNamespaces)).not.toContain(false);
      expect(features).toMatchObject({ mountOptions: true, userNamespacesHostNetwork: true });
    });
  });
});
