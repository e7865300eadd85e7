import { runtimeNamed } from '../../config/runtimes.ts';
import { readRuntimeFeatures } from '../../host/runtime-features.ts';
import { during, messageOf } from '../../lib/fault.ts';
import type { RuntimeAbilities } from '../../lib/runtime-abilities.ts';
import { abilitiesOf, readFeatures } from '../../spec/features.ts';
import { isRunc, runtimeOptions } from '../runtime-options.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'cgroupDriver' | 'config' | 'containerd' | 'facts' | 'log'>;

const ANSWER_MS = 10_000;

/**
 * What each runtime handler can do, by name. A handler that cannot be asked is there too, able to do nothing
 * special: its ordinary pods run all the same.
 */
export async function probeHandlers(needs: Needs): Promise<ReadonlyMap<string, RuntimeAbilities>> {
  const entries = Object.keys(needs.config.runtimes).map(async (name) => {
    const features = await featuresOf(needs, name).catch((error: unknown) => {
      needs.log.info(
        { handler: name, reason: messageOf(error) },
        'a runtime handler could not be asked for its features',
      );
      return null;
    });
    return [name, abilitiesOf(features === null ? null : readFeatures(features), needs.facts)] as const;
  });
  return new Map(await Promise.all(entries));
}

/**
 * containerd's answer comes first, since the shim looks for its runtime with containerd's PATH and mounts. Only
 * runc's own shims are known to run a program that can be asked in its place.
 */
async function featuresOf(needs: Needs, handler: string): Promise<unknown> {
  const runtime = runtimeNamed(needs.config, handler);
  const shim = { name: runtime.type, options: runtimeOptions(runtime, needs.cgroupDriver) };
  try {
    return await needs.containerd.introspection.runtimeFeatures(shim, { timeoutMs: ANSWER_MS });
  } catch (error) {
    if (!isRunc(runtime)) throw during('ask containerd', error);
    return await readRuntimeFeatures(runtime.binary || 'runc');
  }
}
