import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { hasOwnUsers } from '../spec/security.ts';

interface SysctlSettings {
  readonly enableUnprivilegedPorts: boolean;
  readonly enableUnprivilegedIcmp: boolean;
}

/**
 * What a pod with a network of its own has unless it asks for something else. The range of groups that may ping is
 * not to be set in a user namespace, where most groups do not exist.
 */
export function defaultSysctls(config: PodSandboxConfig, settings: SysctlSettings): Record<string, string> {
  return {
    ...(settings.enableUnprivilegedPorts && { 'net.ipv4.ip_unprivileged_port_start': '0' }),
    ...(settings.enableUnprivilegedIcmp &&
      !hasOwnUsers(config) && { 'net.ipv4.ping_group_range': '0 2147483647' }),
  };
}
