import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CniFault } from '../fixtures/fake-cni.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { whyNot } from '../fixtures/tools.ts';
import type { FaultWorld } from './world.ts';
import { createFaultWorld, failure } from './world.ts';

describe.skipIf(whyNot('2.3') !== null)('a CNI plugin that goes wrong', () => {
  let world: FaultWorld;
  let clean: Snapshot;
  let count = 0;

  beforeAll(async () => {
    world = await createFaultWorld('2.3');
  });
  beforeEach(async () => {
    clean = await world.state();
  });
  afterEach(async () => await world.heal());
  afterAll(async () => await world?.[Symbol.asyncDispose]());

  function newPod() {
    count += 1;
    return world.pod(`cni-${count}`);
  }

  const inAdd: [fault: CniFault, code: string, says: string][] = [
    ['fail', 'UNAVAILABLE', 'told to fail: by the test'],
    ['fail-after', 'UNAVAILABLE', 'told to fail: by the test'],
    ['crash', 'UNAVAILABLE', 'killed by SIGKILL'],
    ['garbage', 'INTERNAL', 'JSON'],
    ['hang', 'DEADLINE_EXCEEDED', '1500 ms'],
    ['hang-after', 'DEADLINE_EXCEEDED', '1500 ms'],
  ];
  test.each(inAdd)(
    'that %ss in ADD gives %s, leaves nothing, and can be tried again',
    async (...expected) => {
      const [fault, code, says] = expected;
      const pod = newPod();
      world.fake.fault('ADD', fault);
      const error = await failure(world.runPod(pod));
      expect(error.code).toBe(code);
      expect(error.message).toContain(`CNI ADD of network ${world.cni.network}: plugin faulty-bridge`);
      expect(error.message).toContain(says);
      if (fault === 'fail') expect(error.message).toContain('faulty-bridge was told to fail ADD');
      expect(world.fake.hanging()).toEqual([]);
      expect(await world.podIds()).toEqual([]);
      expect(await world.left(clean)).toEqual([]);

      world.fake.fault('ADD', null);
      const podSandboxId = await world.runPod(pod);
      expect(world.cni.leasedIps()).toHaveLength(1);
      await world.cri.runtime.removePodSandbox({ podSandboxId });
      expect(await world.left(clean)).toEqual([]);
    },
  );

  // DEL has no answer that could be garbage.
  const inDel = inAdd.filter(([fault]) => fault !== 'garbage');
  test.each(inDel)('that %ss in DEL keeps the pod listed until DEL works', async (fault) => {
    const pod = newPod();
    const podSandboxId = await world.runPod(pod);
    world.fake.fault('DEL', fault);
    const error = await failure(world.cri.runtime.stopPodSandbox({ podSandboxId }));
    expect(error.message).toContain(`CNI DEL of network ${world.cni.network}: plugin faulty-bridge`);
    expect(error.code).not.toBe('NOT_FOUND');
    await failure(world.cri.runtime.removePodSandbox({ podSandboxId }));
    expect(await world.podIds()).toEqual([podSandboxId]);
    const { status } = await world.cri.runtime.podSandboxStatus({ podSandboxId });
    expect(status?.state).toBe('SANDBOX_NOTREADY');

    world.fake.fault('DEL', null);
    await world.cri.runtime.removePodSandbox({ podSandboxId });
    expect(await world.left(clean)).toEqual([]);
  });

  test('when DEL fails too in the rollback, the pod is listed as not ready and can be removed', async () => {
    const pod = newPod();
    world.fake.fault('ADD', 'fail-after');
    world.fake.fault('DEL', 'fail');
    const error = await failure(world.runPod(pod));
    expect(error.message).toContain('CNI ADD');
    const { items } = await world.cri.runtime.listPodSandbox({});
    expect(items).toMatchObject([{ metadata: { name: pod.metadata.name }, state: 'SANDBOX_NOTREADY' }]);
    expect(world.cni.leasedIps()).toHaveLength(1);

    world.fake.fault('ADD', null);
    world.fake.fault('DEL', null);
    await world.cri.runtime.removePodSandbox({ podSandboxId: items[0]?.id ?? '' });
    expect(await world.left(clean)).toEqual([]);
    await world.runPod(pod);
  });

  test('the same call again finishes a rollback that got stuck, and then makes the pod', async () => {
    const pod = newPod();
    world.fake.fault('ADD', 'fail-after');
    world.fake.fault('DEL', 'fail');
    await failure(world.runPod(pod));
    world.fake.fault('ADD', null);
    world.fake.fault('DEL', null);
    const podSandboxId = await world.runPod(pod);
    expect(await world.podIds()).toEqual([podSandboxId]);
    expect(world.cni.leasedIps()).toHaveLength(1);
    await world.cri.runtime.removePodSandbox({ podSandboxId });
    expect(await world.left(clean)).toEqual([]);
  });
});
