import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultWorld } from './faults/world.ts';
import { createFaultWorld } from './faults/world.ts';
import type { ContainerdVersion } from './fixtures/tools.ts';

describe.each<ContainerdVersion>(['1.6', '2.3'])('runtime handlers on containerd %s', (version) => {
  let world: FaultWorld;

  beforeAll(async () => {
    world = await createFaultWorld(version, {
      tables: [
        '[runtimes.broken]',
        'binary = "/no/such/runtime"',
        '[runtimes.unknown]',
        'type = "io.none.v1"',
      ],
    });
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  test('Status tells what each can do, as its runtime says', async () => {
    const { runtimeHandlers } = await world.cri.runtime.status({});
    const able = runtimeHandlers.map(({ name, features }) => [name, features?.recursiveReadOnlyMounts]);
    expect(Object.fromEntries(able)).toEqual({
      '': true,
      runc: true,
      paused: true,
      broken: false,
      unknown: false,
    });
  });

  test('a handler that nobody configured is refused by its name', async () => {
    await expect(world.runPod(world.pod('nobody'), 'kata')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/"kata".*runc, paused, broken, unknown/) as string,
    });
  });
});
