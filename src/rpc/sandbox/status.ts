import type { PodSandbox } from '../../gen/runtime/v1/PodSandbox.ts';
import type { PodSandboxFilter__Output as Filter } from '../../gen/runtime/v1/PodSandboxFilter.ts';
import type { PodSandboxStatus } from '../../gen/runtime/v1/PodSandboxStatus.ts';
import { onceEach } from '../../lib/once-each.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import { hasLabels } from '../matches.ts';

/** The CRI knows two states: all that is not ready is for the kubelet to remove. */
export function criState(sandbox: Pick<Sandbox, 'state'>): 'SANDBOX_READY' | 'SANDBOX_NOTREADY' {
  return sandbox.state === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY';
}

/** As PodSandboxStatus tells it. */
export function toStatus(sandbox: Sandbox): PodSandboxStatus {
  const { id, config, createdAt, ips, runtimeHandler } = sandbox;
  const [ip = '', ...others] = ips;
  return {
    id,
    metadata: config.metadata,
    state: criState(sandbox),
    createdAt: createdAt.toString(),
    network: { ip, additionalIps: others.map((other) => ({ ip: other })) },
    linux: { namespaces: { options: config.linux?.securityContext?.namespaceOptions ?? null } },
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler,
  };
}

/** As a list tells it: the same object until something changes, so that it is encoded once. */
export const toListed = onceEach((sandbox: Sandbox): PodSandbox => {
  const { id, config, createdAt, runtimeHandler } = sandbox;
  return {
    id,
    metadata: config.metadata,
    state: criState(sandbox),
    createdAt: createdAt.toString(),
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler,
  };
});

/** An id in the filter is one that was resolved to its full form before. */
export function fits(sandbox: Sandbox, filter: Filter | null): boolean {
  if (!filter) return true;
  if (filter.id !== '' && sandbox.id !== filter.id) return false;
  if (filter.state && criState(sandbox) !== filter.state.state) return false;
  return hasLabels(sandbox.config.labels, filter.labelSelector);
}
