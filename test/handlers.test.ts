import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { specFrom } from '../src/container/oci-any.ts';
import { createContainerd } from '../src/containerd/client.ts';
import { connect } from '../src/containerd/connection.ts';
import { cgroupMode } from '../src/host/cgroup.ts';
import type { OciSpec } from '../src/spec/oci.ts';
import type { FaultWorld, PodConfig } from './faults/world.ts';
import { createFaultWorld } from './faults/world.ts';
import type { PrivateCni } from './fixtures/cni.ts';
import { createCni } from './fixtures/cni.ts';
import { outputOf } from './fixtures/outputs.ts';
import { removeScratch, scratchDir } from './fixtures/scratch.ts';
import type { ContainerdVersion } from './fixtures/tools.ts';
import { need, tools } from './fixtures/tools.ts';

describe.each<ContainerdVersion>(['1.6', '2.3'])('runtime handlers on containerd %s', (version) => {
  let world: FaultWorld;
  let cni: PrivateCni;
  let dir: string;
  let base: string;

  beforeAll(async () => {
    dir = scratchDir('handlers');
    base = join(dir, 'base.json');
    // The same network plugin as the world's, on addresses of its own.
    cni = createCni({ faulty: true });
    world = await createFaultWorld(version, {
      settings: ['default_ulimits = ["nofile=512:1024", "core=unlimited"]'],
      tables: [
        '[runtimes.broken]',
        'binary = "/no/such/runtime"',
        '[runtimes.unknown]',
        'type = "io.none.v1"',
        '[runtimes.wide]',
        'cgroup_writable = true',
        '[runtimes.other]',
        `binary = ${JSON.stringify(need(tools.runcNew ?? tools.runc, 'runc'))}`,
        `root = ${JSON.stringify(join(dir, 'runc'))}`,
        'snapshotter = "native"',
        `cni_conf_dir = ${JSON.stringify(cni.confDir)}`,
        `base_runtime_spec = ${JSON.stringify(base)}`,
        'pod_annotations = ["site.io/*"]',
        'container_annotations = ["device.io/gpu"]',
        '[runtimes.other.options]',
        'NoNewKeyring = true',
      ],
    });
    // As an operator makes one: containerd's own spec, with changes.
    const ctr = join(need(tools.containerd[version], 'containerd'), 'ctr');
    const spec = JSON.parse(execFileSync(ctr, ['oci', 'spec'], { encoding: 'utf8' })) as OciSpec;
    spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }];
    spec.process.env = ['SITE=berlin'];
    spec.mounts.push({ destination: '/site', type: 'tmpfs', source: 'tmpfs', options: ['size=64k'] });
    writeFileSync(base, JSON.stringify(spec));
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await cni?.stop();
    removeScratch(dir);
  });

  /** A pod of this handler in which one container keeps the shim. */
  const podOf = async (
    handler: string,
    change: { annotations?: object } = {},
  ): Promise<{ podId: string; pod: PodConfig }> => {
    const pod = world.pod(`pod-${handler}`, change);
    const { podId } = await world.runContainer(pod, world.container('keeper'), handler);
    return { podId, pod };
  };
  const ipOf = async (podSandboxId: string) =>
    (await world.cri.runtime.podSandboxStatus({ podSandboxId })).status?.network?.ip;

  test('Status tells what each can do, as its runtime says', async () => {
    const { runtimeHandlers } = await world.cri.runtime.status({});
    const able = runtimeHandlers.map(({ name, features }) => [name, features?.recursiveReadOnlyMounts]);
    expect(Object.fromEntries(able)).toEqual({
      '': true,
      runc: true,
      paused: true,
      broken: false,
      unknown: false,
      wide: true,
      other: true,
    });
  });

  test('a handler that nobody configured is refused by its name', async () => {
    await expect(world.runPod(world.pod('nobody'), 'kata')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/"kata".*runc, paused, broken, unknown/) as string,
    });
  });

  test('limits of the settings are those of processes', async () => {
    const inPod = await podOf('');
    const show = world.container('limits', ['sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -c']);
    expect(await outputOf(world, inPod, show)).toBe('512\n1024\nunlimited\n');
  });

  test('another runtime, with its own network, snapshotter, base spec and annotations', async () => {
    const annotations = { 'site.io/zone': 'a', 'other.io/zone': 'b' };
    const inPod = await podOf('other', { annotations });
    expect(await ipOf(inPod.podId)).toContain(cni.prefix);
    expect(cni.leasedIps()).toHaveLength(1);

    const script =
      'ulimit -Sn; ulimit -Hn; ulimit -c; echo $SITE; mount | grep -c " on / type overlay"; df -k /site | tail -n1';
    const show = world.container('show', ['sh', '-c', script], {
      annotations: { 'device.io/gpu': '1', 'device.io/other': '2' },
    });
    const printed = (await outputOf(world, inPod, show)).split('\n');
    expect(printed.slice(0, 5)).toEqual(['100', '200', 'unlimited', 'berlin', '0']);
    expect(printed[5]).toMatch(/^tmpfs +64 .* \/site$/);

    using connection = connect({
      address: world.containerd.address,
      namespace: 'k8s.io',
      log: pino({ level: 'silent' }),
    });
    const [id = ''] = await containersOf('show');
    const object = await createContainerd(connection).containers.get(id);
    expect(object.snapshotter).toBe('native');
    if (!object.spec) throw new Error('a container without a spec');
    const told = specFrom(object.spec).annotations;
    expect(told).toMatchObject({ 'site.io/zone': 'a', 'device.io/gpu': '1' });
    expect(Object.keys(told).filter((key) => key.includes('other'))).toEqual([]);

    await world.cri.runtime.removePodSandbox({ podSandboxId: inPod.podId });
    expect(cni.leasedIps()).toEqual([]);
  });

  test('a base spec that is broken or gone refuses the container by its name', async () => {
    const pod = world.pod('based');
    const podId = await world.runPod(pod, 'other');
    writeFileSync(base, '{');
    await expect(world.createContainer(podId, pod, world.container('late'))).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(base) as string,
    });
  });

  test.skipIf(cgroupMode() === 'v2')('writable cgroups are refused on cgroup v1', async () => {
    const pod = world.pod('wide');
    const podId = await world.runPod(pod, 'wide');
    const asked = world.createContainer(podId, pod, world.container('wide'));
    await expect(asked).rejects.toThrow(/cgroup_writable .* needs cgroup v2/);
  });

  const containersOf = async (name: string): Promise<string[]> => {
    const { containers } = await world.cri.runtime.listContainers({});
    return containers.filter(({ metadata }) => metadata?.name === name).map(({ id }) => id);
  };
});
