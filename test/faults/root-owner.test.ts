import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startContainerd } from '../fixtures/containerd.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld } from './world.ts';

describe.each(containerdVersions)('settings that lead to another containerd than %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('under a root with pods', () => {
    let world: FaultWorld;
    let clean: Snapshot;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
    });

    /** What the daemon says when it is started with this in its configuration instead; null when it starts. */
    async function startWith(change: Record<string, string>): Promise<string | null> {
      const { configFile } = world.cristal;
      const kept = readFileSync(configFile, 'utf8');
      const changed = Object.entries(change).reduce((text, [from, to]) => text.replace(from, to), kept);
      expect(changed).not.toBe(kept);
      writeFileSync(configFile, changed);
      try {
        await world.cristal.resume();
        return null;
      } catch (error) {
        return (error as Error).message;
      } finally {
        writeFileSync(configFile, kept);
      }
    }

    test('the daemon does not start, and the pods survive', async () => {
      await using other = await startContainerd({ version });
      const pod = world.pod('kept');
      const { podId, id } = await world.runContainer(pod, world.container('app'));
      await world.cristal.terminate();
      const before = await world.state();
      const note = join(world.cristal.root, 'containerd');
      const noted = readFileSync(note, 'utf8');
      const mend = `put address and namespace in [containerd] back, or, if those pods are gone for good, remove ${note}`;

      const inNamespace = await startWith({ '[containerd]\n': '[containerd]\nnamespace = "elsewhere"\n' });
      expect(inNamespace).toContain(mend);
      expect(inNamespace).toContain(`lead to namespace elsewhere of ${world.proxy.address}`);
      expect(await startWith({ [world.proxy.address]: other.address })).toContain(mend);
      expect(await world.state()).toEqual(before);
      expect(readFileSync(note, 'utf8')).toBe(noted);

      // The same containerd, reached by another socket.
      expect(await startWith({ [world.proxy.address]: world.containerd.address })).toBeNull();
      expect(await world.containerState(id)).toBe('CONTAINER_RUNNING');
      await world.cristal.terminate();
      rmSync(note);
      await world.cristal.resume();
      expect(await world.containerState(id)).toBe('CONTAINER_RUNNING');
      expect(readFileSync(note, 'utf8')).toBe(noted);
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
      expect(await world.left(clean)).toEqual([]);
    });
  });
});
