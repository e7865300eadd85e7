import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ContainerEventResponse__Output as Event } from '../../src/gen/runtime/v1/ContainerEventResponse.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld } from './world.ts';
import { endsOnRequest } from './world.ts';

const byId = (a: { id: string }, b: { id: string }): number => a.id.localeCompare(b.id);

/** A subscription that goes on in the background. */
interface Watch extends Disposable {
  events: Event[];
  /** How the stream ended: `cancelled` by us, `end`, or the error's message. */
  ended: Promise<string>;
  told(): string[];
}

describe.each(containerdVersions)('container events over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('when cristal stops in the middle', () => {
    let world: FaultWorld;
    let clean: Snapshot;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
    });

    function watch(): Watch {
      const stop = new AbortController();
      const events: Event[] = [];
      const read = async (): Promise<string> => {
        try {
          for await (const event of world.cri.streams.getContainerEvents({}, stop.signal)) events.push(event);
          return stop.signal.aborted ? 'cancelled' : 'end';
        } catch (error) {
          return String(error);
        }
      };
      const ended = read();
      return {
        events,
        ended,
        told: () =>
          events.map(
            ({ containerId, containerEventType }) =>
              `${containerId} ${containerEventType.replace(/^CONTAINER_(.*)_EVENT$/, '$1')}`,
          ),
        [Symbol.dispose]: () => stop.abort(),
      };
    }

    test('an orderly stop ends the stream well and at once; what happened before nobody asked is told', async () => {
      const pod = world.pod('stopped');
      const { podId, id } = await world.runContainer(pod, world.container('app'));
      using watching = watch();
      // Nobody listened while they came to be.
      await eventually(() => watching.told().includes(`${id} STARTED`));
      expect(watching.told().slice(-4)).toEqual([
        `${podId} CREATED`,
        `${podId} STARTED`,
        `${id} CREATED`,
        `${id} STARTED`,
      ]);

      const start = performance.now();
      await world.cristal.terminate();
      expect(await watching.ended).toBe('end');
      expect(performance.now() - start).toBeLessThan(5_000);

      await world.cristal.resume();
      using again = watch();
      await world.cri.runtime.stopContainer({ containerId: id, timeout: 5 });
      await eventually(() => again.events.length > 0);
      // What was only found again is no news.
      expect(again.told()).toEqual([`${id} STOPPED`]);
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      await eventually(() => again.events.length >= 4);
      expect(again.told()).toEqual([
        `${id} STOPPED`,
        `${podId} STOPPED`,
        `${id} DELETED`,
        `${podId} DELETED`,
      ]);
      expect(await world.left(clean)).toEqual([]);
    });

    test('what ended while cristal was killed is told to the first who subscribes again', async () => {
      const pod = world.pod('killed');
      const { podId, id } = await world.runContainer(pod, world.container('ending', endsOnRequest(7)));
      const staying = await world.createContainer(podId, pod, world.container('staying'));
      await world.cri.runtime.startContainer({ containerId: staying });
      using watching = watch();
      await eventually(() => watching.told().includes(`${staying} STARTED`));
      await world.cristal.kill9();
      expect(await watching.ended).toContain('Connection dropped');

      writeFileSync(join(world.cristal.state, 'sandboxes', podId, 'shm', 'end'), '');
      await world.cristal.resume();
      await eventually(async () => (await world.containerState(id)) === 'CONTAINER_EXITED');
      using again = watch();
      await eventually(() => again.events.length > 0);
      expect(again.told()).toEqual([`${id} STOPPED`]);
      const { status, containersStatuses } = await world.cri.runtime.podSandboxStatus({
        podSandboxId: podId,
      });
      const [event] = again.events;
      expect(event?.podSandboxStatus).toEqual(status);
      expect(event?.containersStatuses.toSorted(byId)).toEqual(containersStatuses.toSorted(byId));
      expect(event?.containersStatuses.find((container) => container.id === id)?.exitCode).toBe(7);
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });
  });
});
