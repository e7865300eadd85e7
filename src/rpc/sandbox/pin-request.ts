import type { PodSandboxConfig__Output as PodSandboxConfig } from '../../gen/runtime/v1/PodSandboxConfig.ts';
import type { PinRequest } from '../../host/namespaces.ts';
import type { HostFacts } from '../../lib/host-facts.ts';
import { idsOf, ownNamespaces } from '../../sandbox/namespaces.ts';
import { defaultSysctls } from '../../sandbox/sysctls.ts';
import type { Services } from '../services.ts';

/** Which namespaces a pod has pinned in `dir`, and what is set in them. */
export function pinRequest(
  needs: Pick<Services, 'config' | 'facts'>,
  config: PodSandboxConfig,
  dir: string,
): PinRequest {
  return {
    dir,
    ...ownNamespaces(config),
    hostname: hostnameOf(config, needs.facts),
    sysctls: config.linux?.sysctls ?? {},
    defaultSysctls: defaultSysctls(config, needs.config),
    ids: idsOf(config),
  };
}

/** A pod without a name of its own, and one on the host's network, has the host's. */
export function hostnameOf(config: PodSandboxConfig, { hostname }: Pick<HostFacts, 'hostname'>): string {
  return ownNamespaces(config).uts && config.hostname !== '' ? config.hostname : hostname;
}
