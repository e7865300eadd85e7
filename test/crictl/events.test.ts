import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/processes.ts';
import { containerdVersions, whyNotCrictl } from '../fixtures/tools.ts';
import { startSession } from './session.ts';
import type { CrictlWorld } from './world.ts';
import { createWorld, sleeper } from './world.ts';

interface Event {
  containerId: string;
  containerEventType: string;
  podSandboxStatus: { id: string; state: string; metadata: { uid: string } } | null;
  containersStatuses: { id: string; state: string }[];
}

describe.each(containerdVersions)('crictl events against containerd %s', (version) => {
  describe.skipIf(whyNotCrictl(version) !== null)('while a pod lives', () => {
    let world: CrictlWorld;

    beforeAll(async () => {
      world = await createWorld(version);
      await world.crictl.text('pull', world.image);
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    test('every step is told in order, with the state of the pod and its container', async () => {
      const { crictl } = world;
      const address = world.cristal?.address ?? world.containerd.address;
      await using watching = startSession(address, 'events');
      const pod = await crictl.text('runp', world.podFile({ name: 'told' }));
      const podFile = world.podFile({ name: 'told' });
      const container = await crictl.text('create', pod, world.containerFile('app', sleeper), podFile);
      await crictl.text('start', container);
      await crictl.text('stop', container);
      await crictl.text('stopp', pod);
      await crictl.text('rm', container);
      await crictl.text('rmp', pod);

      await eventually(() => eventsIn(watching.stdout()).length >= 8);
      const names = new Map([
        [pod, 'pod'],
        [container, 'app'],
      ]);
      const events = eventsIn(watching.stdout());
      const told = events.map((event) => [
        names.get(event.containerId) ?? event.containerId,
        event.containerEventType.replace(/^CONTAINER_(.*)_EVENT$/, '$1'),
        event.podSandboxStatus?.state.replace('SANDBOX_', ''),
        event.containersStatuses
          .map(({ id, state }) => `${names.get(id)} ${state.replace('CONTAINER_', '')}`)
          .join(),
      ]);
      expect(told).toEqual([
        ['pod', 'CREATED', 'READY', ''],
        ['pod', 'STARTED', 'READY', ''],
        ['app', 'CREATED', 'READY', 'app CREATED'],
        ['app', 'STARTED', 'READY', 'app RUNNING'],
        ['app', 'STOPPED', 'READY', 'app EXITED'],
        ['pod', 'STOPPED', 'NOTREADY', 'app EXITED'],
        ['app', 'DELETED', 'NOTREADY', ''],
        ['pod', 'DELETED', 'NOTREADY', ''],
      ]);
      expect(events.every((event) => event.podSandboxStatus?.metadata.uid === 'uid-told')).toBe(true);
      watching.interrupt();
      await watching.ended;
      expect(eventsIn(watching.stdout())).toHaveLength(8);
    });
  });
});

/** crictl writes one JSON object after the other, over many lines each or one. */
function eventsIn(text: string): Event[] {
  const whole = text.split(/(?<=\})\s*\n(?=\{)/).filter((part) => part.trim() !== '');
  return whole.flatMap((part) => {
    try {
      return [JSON.parse(part) as Event];
    } catch {
      return []; // not written to its end yet
    }
  });
}
