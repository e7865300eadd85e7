import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Snapshot } from '../fixtures/leaks.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';
import type { FaultWorld, MoreConfig } from './world.ts';
import { createFaultWorld } from './world.ts';

/** One world for all tests of a group, healed after each. `begin` is told it before each, with what is there then. */
export function shareWorld(
  version: ContainerdVersion,
  begin: (world: FaultWorld, clean: Snapshot) => void,
  more: MoreConfig = {},
): void {
  let world: FaultWorld;
  beforeAll(async () => {
    world = await createFaultWorld(version, more);
  });
  beforeEach(async () => begin(world, await world.state()));
  afterEach(async () => await world.heal());
  afterAll(async () => await world?.[Symbol.asyncDispose]());
}
