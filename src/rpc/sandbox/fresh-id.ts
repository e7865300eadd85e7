import type { PodSandboxConfig__Output as PodSandboxConfig } from '../../gen/runtime/v1/PodSandboxConfig.ts';
import { Fault } from '../../lib/fault.ts';
import type { SelinuxContexts } from '../../lib/host-facts.ts';
import { newId } from '../../lib/id.ts';
import { podLevel } from '../../spec/selinux.ts';
import type { SandboxRecord } from '../../store/sandboxes.ts';

/** There are half a million levels: of a thousand pods one in five hundred meets a taken one at its first try. */
const MAX_TRIES = 100;

/** An id for a new sandbox. Its SELinux level follows from it, so it is one whose level no other pod has. */
export function freshId(
  config: PodSandboxConfig,
  others: readonly Pick<SandboxRecord, 'id' | 'config'>[],
  contexts: SelinuxContexts | null,
): string {
  const asked = optionsOf(config);
  if (!contexts || asked?.level) return newId();
  const taken = new Set(others.map((pod) => podLevel(pod.id, optionsOf(pod.config), contexts)));
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const id = newId();
    if (!taken.has(podLevel(id, asked, contexts))) return id;
  }
  throw new Fault('resource_exhausted', `no free SELinux level in ${MAX_TRIES} tries`);
}

function optionsOf({ linux }: PodSandboxConfig) {
  return linux?.securityContext?.selinuxOptions ?? null;
}
