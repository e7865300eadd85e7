import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createContainerd } from '../../src/containerd/client.ts';
import { connect } from '../../src/containerd/connection.ts';
import type { Finding } from '../../src/doctor/diagnose.ts';
import { newId } from '../../src/lib/id.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import { containerdVersions, runcFor, whyNot } from '../fixtures/tools.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld, Started } from './world.ts';

interface Told {
  code: number;
  findings: (Omit<Finding, 'trace'> & { fixed: boolean })[];
  refused: string | null;
}

const main = join(import.meta.dirname, '../../src/main.ts');

const kindsOf = ({ findings }: Told): string[] => [...new Set(findings.map(({ kind }) => kind))].toSorted();

function removeBelow(dir: string, ...ids: string[]): void {
  for (const id of ids) rmSync(join(dir, id), { recursive: true, force: true });
}

describe.each(containerdVersions)('cristal doctor over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('finds and cleans', () => {
    let world: FaultWorld;
    let clean: Snapshot;
    let count = 0;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
    });

    async function doctor(...options: string[]): Promise<Told> {
      const args = [main, 'doctor', '--json', '--config', world.cristal.configFile, ...options];
      const told = await promisify(execFile)(process.execPath, args).then(
        ({ stdout }) => ({ code: 0, stdout }),
        ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
      );
      return { code: told.code, ...(JSON.parse(told.stdout) as Omit<Told, 'code'>) };
    }

    async function started(handler = ''): Promise<Started> {
      count += 1;
      return await world.runContainer(world.pod(`doctor-${count}`), world.container('app'), handler);
    }

    /** As if somebody had deleted them behind cristal's back. */
    async function deleteRecords(...ids: string[]): Promise<void> {
      const log = pino({ level: 'silent' });
      using connection = connect({ address: world.containerd.address, namespace: 'k8s.io', log });
      for (const id of ids) await createContainerd(connection).containers.delete(id);
    }

    async function expectFixed(kinds: string[]): Promise<void> {
      const found = await doctor();
      expect(found.code).toBe(1);
      expect(kindsOf(found)).toEqual(kinds.toSorted());
      const fixed = await doctor('--fix');
      expect(fixed.findings.filter((finding) => !finding.fixed)).toEqual([]);
      expect(fixed.code).toBe(0);
      expect(await doctor()).toEqual({ code: 0, findings: [], refused: null });
    }

    test.each(['', 'paused'])('nothing in a healthy pod (handler "%s"), running or not', async (handler) => {
      const { podId, id } = await started(handler);
      const before = await world.state();
      expect(await doctor()).toEqual({ code: 0, findings: [], refused: null });
      expect((await doctor('--fix')).refused).toContain('another cristal works on');
      await world.cristal.terminate();
      const stopped = await world.state();
      expect(await doctor('--fix')).toEqual({ code: 0, findings: [], refused: null });
      expect(await world.state()).toEqual(stopped);
      // With settings that lead elsewhere every pod looks dead.
      const astray = await doctor('--fix', '--namespace', 'elsewhere');
      expect(astray.findings.length).toBeGreaterThan(0);
      expect(astray.findings.filter(({ fixed }) => fixed)).toEqual([]);
      expect(astray.refused).toContain('namespace k8s.io of');
      expect(await world.state()).toEqual(stopped);
      await world.cristal.resume();
      expect(await world.containerState(id)).toBe('CONTAINER_RUNNING');
      expect(await world.state()).toEqual(before);
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });

    test.each([
      [
        'the records in containerd',
        '',
        [],
        ['address', 'cgroup', 'files', 'mount', 'network', 'snapshot', 'status', 'task'],
      ],
      [
        'the same of a pause sandbox',
        'paused',
        [],
        ['address', 'cgroup', 'files', 'mount', 'network', 'snapshot', 'status', 'task'],
      ],
      [
        'records and statuses',
        '',
        ['sandboxes', 'containers'],
        ['address', 'cgroup', 'files', 'mount', 'network', 'snapshot', 'task'],
      ],
      [
        'all of its own root',
        '',
        ['sandboxes', 'containers', 'cni'],
        ['address', 'cgroup', 'files', 'mount', 'snapshot', 'task'],
      ],
    ])('what is left when a kill -9 lost %s', async (_, handler, lost, kinds) => {
      const { podId, id } = await started(handler);
      await world.cristal.kill9();
      await deleteRecords(podId, id);
      for (const dir of lost) removeBelow(join(world.cristal.root, dir), podId, id, `${podId}.json`);
      // containerd may collect what has no record at any moment, but for what a lease holds.
      await expectFixed(kinds);
      await world.cristal.resume();
      expect(await world.podIds()).toEqual([]);
      expect(await world.left(clean)).toEqual([]);
    });

    test('a shim that containerd has forgotten', async () => {
      const { podId, id } = await started();
      await world.cristal.kill9();
      await world.containerd.halt('kill');
      const bundles = join(world.containerd.dir, 'state', 'io.containerd.runtime.v2.task', 'k8s.io');
      expect(readdirSync(bundles)).toContain(id);
      await promisify(execFile)('umount', ['-l', join(bundles, id, 'rootfs')]);
      removeBelow(bundles, id);
      await world.containerd.resume();
      await deleteRecords(podId, id);
      const found = await doctor();
      expect(found.findings.filter(({ kind }) => kind === 'shim')).toMatchObject([
        { id, fix: expect.any(String) as string },
      ]);
      expect((await doctor('--fix')).code).toBe(0);
      // runc's own note of a container is not the doctor's, and without its bundle not the fixture's either.
      await promisify(execFile)(runcFor(version), [
        '--root',
        '/run/containerd/runc/k8s.io',
        'delete',
        '--force',
        id,
      ]);
      await world.cristal.resume();
      expect(await world.left(clean)).toEqual([]);
    });

    test('a shim that outlives the container it was started for is left to the others of its pod', async () => {
      const { podId, id: first } = await started();
      const config = world.pod(`doctor-${count}`);
      const second = await world.createContainer(podId, config, world.container('second'));
      await world.cri.runtime.startContainer({ containerId: second });
      await world.cri.runtime.stopContainer({ containerId: first, timeout: 0 });
      await world.cri.runtime.removeContainer({ containerId: first });
      expect(await doctor()).toEqual({ code: 0, findings: [], refused: null });
      await world.cristal.terminate();
      // Something of the first one's proves that its id was ours.
      mkdirSync(join(world.cristal.state, 'containers', first), { recursive: true });
      await expectFixed(['files']);
      await world.cristal.resume();
      expect(await world.containerState(second)).toBe('CONTAINER_RUNNING');
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });

    test('a lease of a dead process, and a cgroup of a container of ours that never was', async () => {
      await world.cristal.terminate();
      const id = newId();
      const parent = (world.pod('x')['linux'] as { cgroupParent: string }).cgroupParent;
      const cgroup = join('/sys/fs/cgroup/memory', parent, id);
      mkdirSync(cgroup, { recursive: true });
      mkdirSync(join(world.cristal.state, 'containers', id), { recursive: true });
      await world.containerd.ctr('leases', 'create', '--id', 'cristal-image-999999-x');
      await expectFixed(['cgroup', 'files', 'lease']);
      await world.cristal.resume();
      expect(await world.left(clean)).toEqual([]);
    });

    test('what somebody else may have made is told and left alone', async () => {
      const id = newId();
      const other = newId();
      await world.containerd.ctr('snapshots', 'prepare', id);
      const cgroup = join('/sys/fs/cgroup/memory', other);
      mkdirSync(cgroup);
      await world.cristal.terminate();
      const told = await doctor('--fix');
      const stays = readdirSync('/sys/fs/cgroup/memory').includes(other);
      rmdirSync(cgroup);
      await world.containerd.ctr('snapshots', 'rm', id);
      expect(told).toMatchObject({ code: 1, findings: [{ kind: 'snapshot', id, fix: null, fixed: false }] });
      expect(told.findings[0]?.why).toContain('nothing proves');
      expect(stays).toBe(true);
      await world.cristal.resume();
    });

    test('what a living pod lacks is told, and mended by nobody', async () => {
      const { podId, id } = await started();
      const log = join(world.logs, `doctor-${count}`, 'app.log');
      await eventually(async () => (await world.containerState(id)) === 'CONTAINER_RUNNING');
      rmSync(log);
      await promisify(execFile)('umount', ['-l', join(world.cristal.state, 'sandboxes', podId, 'ns', 'net')]);
      const told = await doctor();
      expect(told.code).toBe(1);
      expect(told.findings.map(({ what }) => what).toSorted()).toEqual(
        [
          `container ${id} lacks its log file ${log}`,
          `pod sandbox ${podId} lacks its network namespace`,
        ].toSorted(),
      );
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
    });
  });
});
