import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createContainerd } from '../../src/containerd/client.ts';
import { connect } from '../../src/containerd/connection.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { eventually, processes } from '../fixtures/processes.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import { COUNTER, countLines } from './log-lines.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld, PodConfig } from './world.ts';
import { endsOnRequest } from './world.ts';

/** How many of the exec's processes live. */
function sleepers(): number {
  return processes().filter(({ command }) => command === 'sleep 1234').length;
}

describe.each(containerdVersions)('cristal killed with -9 over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('under running containers', () => {
    let world: FaultWorld;
    let clean: Snapshot;
    let count = 0;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
    });

    function newPod(): PodConfig {
      count += 1;
      return world.pod(`running-${count}`);
    }

    async function addContainer(
      podId: string,
      pod: PodConfig,
      name: string,
      command: string[],
    ): Promise<string> {
      const id = await world.createContainer(podId, pod, world.container(name, command));
      await world.cri.runtime.startContainer({ containerId: id });
      return id;
    }

    async function removeAll(): Promise<void> {
      for (const podSandboxId of await world.podIds()) {
        await world.cri.runtime.removePodSandbox({ podSandboxId });
      }
      expect(await world.left(clean)).toEqual([]);
    }

    test.each([
      ['pinned', ''],
      ['pause', 'paused'],
    ])('everything of a %s sandbox is as it was', async (_, handler) => {
      const pod = newPod();
      const podId = await world.runPod(pod, handler);
      const running = await addContainer(podId, pod, 'counter', COUNTER);
      const ending = await addContainer(podId, pod, 'ending', endsOnRequest(9));
      const ended = await addContainer(podId, pod, 'ended', ['sh', '-c', 'exit 3']);
      const created = await world.createContainer(podId, pod, world.container('created'));
      await eventually(async () => (await world.containerState(ended)) === 'CONTAINER_EXITED');
      const stoppedPod = newPod();
      const stopped = await world.runPod(stoppedPod, handler);
      await world.cri.runtime.stopPodSandbox({ podSandboxId: stopped });
      const before = await world.cri.runtime.podSandboxStatus({ podSandboxId: podId });
      const log = join(pod.logDirectory, 'counter.log');
      await eventually(() => countLines(log).count > 0);

      await world.cristal.kill9();
      writeFileSync(join(world.cristal.state, 'sandboxes', podId, 'shm', 'end'), '');
      await sleep(500);
      const lines = countLines(log).count;
      await world.cristal.resume();

      const { items } = await world.cri.runtime.listPodSandbox({});
      expect(Object.fromEntries(items.map(({ id, state }) => [id, state]))).toEqual({
        [podId]: 'SANDBOX_READY',
        [stopped]: 'SANDBOX_NOTREADY',
      });
      expect((await world.cri.runtime.podSandboxStatus({ podSandboxId: podId })).status).toEqual(
        before.status,
      );
      const states = async () =>
        Object.fromEntries(
          (await world.cri.runtime.listContainers({})).containers.map((c) => [c.id, c.state]),
        );
      expect(await states()).toEqual({
        [running]: 'CONTAINER_RUNNING',
        [ending]: 'CONTAINER_EXITED',
        [ended]: 'CONTAINER_EXITED',
        [created]: 'CONTAINER_CREATED',
      });
      const exits = async (containerId: string) =>
        (await world.cri.runtime.containerStatus({ containerId })).status;
      expect(await exits(ending)).toMatchObject({ exitCode: 9, reason: 'Error' });
      expect(await exits(ended)).toMatchObject({ exitCode: 3, reason: 'Error' });

      // What the counter said meanwhile waited in the pipe. Only what cristal had read and not yet written
      // when it was killed is gone: a line or two, at that very place.
      expect(await eventually(() => countLines(log).count > lines + 50)).toBe(true);
      const { missing } = countLines(log);
      expect(missing.length).toBeLessThanOrEqual(2);
      for (const line of missing) expect(Math.abs(line - lines)).toBeLessThanOrEqual(2);
      await world.cri.runtime.startContainer({ containerId: created });
      const answer = await world.cri.runtime.execSync({ containerId: running, cmd: ['echo', 'hello'] });
      expect(answer.stdout.toString()).toBe('hello\n');
      // Exits are followed again.
      await world.cri.runtime.stopContainer({ containerId: running, timeout: '5' });
      expect(await exits(running)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 0,
        reason: 'Completed',
      });
      await removeAll();
    });

    test('an exec that ran leaves neither a process nor a FIFO', async () => {
      const pod = newPod();
      const { id } = await world.runContainer(pod, world.container('main'));
      // The directory of execs stays with the container.
      await world.cri.runtime.execSync({ containerId: id, cmd: ['true'] });
      const before = await world.state();
      const cmd = ['sh', '-c', 'sleep 1234 & sleep 1234'];
      const exec = world.cri.runtime.execSync({ containerId: id, cmd }).catch(() => null);
      expect(await eventually(() => sleepers() === 2)).toBe(true);
      await world.cristal.kill9();
      await exec;
      await world.cristal.resume();
      expect(await eventually(() => sleepers() === 0, 5_000)).toBe(true);
      expect(await world.left(before)).toEqual([]);
      const execs = join(world.cristal.state, 'containers', id, 'exec');
      expect(existsSync(execs) ? readdirSync(execs) : []).toEqual([]);
      const answer = await world.cri.runtime.execSync({ containerId: id, cmd: ['echo', 'again'] });
      expect(answer.stdout.toString()).toBe('again\n');
      await removeAll();
    });

    test('records that cannot be read are set aside, and the rest comes up', async () => {
      const pod = newPod();
      const podId = await world.runPod(pod);
      const good = await addContainer(podId, pod, 'good', COUNTER);
      const badStatus = await addContainer(podId, pod, 'bad-status', COUNTER);
      const badRecord = await addContainer(podId, pod, 'bad-record', COUNTER);
      const badPod = newPod();
      const badPodId = await world.runPod(badPod);

      await world.cristal.kill9();
      writeFileSync(join(world.cristal.root, 'containers', badStatus, 'status.json'), '{"version":1,"sta');
      const log = pino({ level: 'silent' });
      using connection = connect({ address: world.containerd.address, namespace: 'k8s.io', log });
      const { containers } = createContainerd(connection);
      const intact = new Map<string, Awaited<ReturnType<typeof containers.get>>>();
      for (const [id, extension] of [
        [badRecord, 'io.cristal.container'],
        [badPodId, 'io.cristal.sandbox'],
      ] as const) {
        const object = await containers.get(id);
        intact.set(id, object);
        const broken = { typeUrl: `cristal.dev/${extension}`, value: Buffer.from('{"version":1}') };
        await containers.update({ ...object, extensions: { [extension]: broken } }, [
          `extensions.${extension}`,
        ]);
      }
      await world.cristal.resume();

      expect(await world.podIds()).toEqual([podId]);
      expect(await world.containerState(good)).toBe('CONTAINER_RUNNING');
      // Its task and its record tell enough of it.
      expect(await world.containerState(badStatus)).toBe('CONTAINER_RUNNING');
      const lines = world.cristal.log();
      for (const [id, why] of [
        [badRecord, 'record lacks'],
        [badPodId, 'record lacks'],
        [badStatus, 'record is not JSON'],
      ] as const) {
        expect(lines.some((line) => line.includes(`"id":"${id}"`) && line.includes(why))).toBe(true);
      }
      // Set aside is not destroyed: it runs on, and its pod keeps its address.
      const running = await world.containerd.ctr('tasks', 'ls');
      expect(running).toMatch(new RegExp(`${badRecord}\\s+\\d+\\s+RUNNING`));
      expect(world.cni.leasedIps()).toHaveLength(2);

      // Mended by hand, all of it is back after the next start.
      await world.cristal.kill9();
      for (const [id, object] of intact) {
        await containers.update(
          object,
          Object.keys(object.extensions).map((name) => `extensions.${name}`),
        );
        expect((await containers.get(id)).extensions).toEqual(object.extensions);
      }
      await world.cristal.resume();
      expect((await world.podIds()).toSorted()).toEqual([podId, badPodId].toSorted());
      expect(await world.containerState(badRecord)).toBe('CONTAINER_RUNNING');
      await removeAll();
    });
  });
});
