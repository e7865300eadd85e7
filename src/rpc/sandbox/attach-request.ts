import type { AttachRequest } from '../../host/cni/attachment.ts';
import type { SandboxRecord } from '../../store/sandboxes.ts';

type Protocol = AttachRequest['portMappings'][number]['protocol'];

/** What the CNI plugins are told of a pod. */
export function attachRequest(
  { id, config }: SandboxRecord,
  { netns, confDir }: Pick<AttachRequest, 'netns' | 'confDir'>,
): AttachRequest {
  return {
    id,
    netns,
    pod: {
      name: config.metadata?.name ?? '',
      namespace: config.metadata?.namespace ?? '',
      uid: config.metadata?.uid ?? '',
    },
    portMappings: config.portMappings.map((mapping) => ({
      protocol: mapping.protocol.toLowerCase() as Protocol,
      containerPort: mapping.containerPort,
      hostPort: mapping.hostPort,
      hostIp: mapping.hostIp,
    })),
    annotations: config.annotations,
    dns: {
      servers: config.dnsConfig?.servers ?? [],
      searches: config.dnsConfig?.searches ?? [],
      options: config.dnsConfig?.options ?? [],
    },
    confDir,
    cgroupParent: config.linux?.cgroupParent ?? '',
  };
}
