import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createContainerd } from '../../src/containerd/client.ts';
import { connect } from '../../src/containerd/connection.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld } from './world.ts';

// containerd deletes a record under a running task for whoever asks its API, and then finds the task no more.
describe.each(containerdVersions)('records that somebody deleted in containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('under running containers', () => {
    let world: FaultWorld;
    let clean: Snapshot;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
    });

    async function deleteRecords(...ids: string[]): Promise<void> {
      const log = pino({ level: 'silent' });
      using connection = connect({ address: world.containerd.address, namespace: 'k8s.io', log });
      for (const id of ids) await createContainerd(connection).containers.delete(id);
    }

    test.each(['', 'paused'])('cristal ends their tasks when it starts (handler "%s")', async (handler) => {
      const { podId, id } = await world.runContainer(world.pod('lost'), world.container('app'), handler);
      await world.cristal.kill9();
      await deleteRecords(podId, id);
      await world.cristal.resume();
      expect(await world.podIds()).toEqual([]);
      expect(await world.left(clean)).toEqual([]);
    });

    test.each(['', 'paused'])('cristal ends their tasks with the pod (handler "%s")', async (handler) => {
      const { podId, id } = await world.runContainer(world.pod('lost'), world.container('app'), handler);
      await deleteRecords(podId, id);
      await world.cri.runtime.stopPodSandbox({ podSandboxId: podId });
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.podIds()).toEqual([]);
      expect(await world.left(clean)).toEqual([]);
    });
  });
});
