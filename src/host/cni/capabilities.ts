import { during, Fault } from '../../lib/fault.ts';
import type { AttachRequest } from './attachment.ts';
import type { PluginConfig } from './config.ts';
import type { JsonObject } from './json-object.ts';
import { parseQuantity } from './quantity.ts';

const INGRESS = 'kubernetes.io/ingress-bandwidth';
const EGRESS = 'kubernetes.io/egress-bandwidth';

/** Kubernetes refuses rates outside of these, in bits per second. */
const MIN_RATE = 1_000n;
const MAX_RATE = 1_000_000_000_000_000n;

/** In bits. The annotations know no burst, so it is the largest the bandwidth plugin accepts. */
const UNLIMITED_BURST = 4_294_967_295;

/**
 * All that we can tell of a pod, by the names of the CNI conventions. What the pod does not have is
 * left out. Throws `invalid_argument` for a bandwidth annotation that is no sensible rate.
 */
export function capabilityArgs(request: AttachRequest): JsonObject {
  const { dns, annotations, cgroupParent } = request;
  const portMappings = request.portMappings
    .filter(({ hostPort }) => hostPort > 0)
    .map(({ hostPort, containerPort, protocol, hostIp }) => ({
      hostPort,
      containerPort,
      protocol,
      ...(hostIp === '' ? {} : { hostIP: hostIp }),
    }));
  const bandwidth = bandwidthFrom(annotations);
  const hasDns = dns.servers.length + dns.searches.length + dns.options.length > 0;
  return {
    ...(portMappings.length > 0 ? { portMappings } : {}),
    ...(bandwidth === null ? {} : { bandwidth }),
    ...(hasDns ? { dns } : {}),
    ...(cgroupParent === '' ? {} : { cgroupPath: cgroupParent }),
    'io.kubernetes.cri.pod-annotations': annotations,
  };
}

/** The `runtimeConfig` of one plugin: of `args` only what it declares. Null if that is nothing. */
export function runtimeConfigFor(plugin: PluginConfig, args: JsonObject): JsonObject | null {
  const told = plugin.capabilities.filter((name) => args[name] !== undefined);
  return told.length === 0 ? null : Object.fromEntries(told.map((name) => [name, args[name]]));
}

function bandwidthFrom(annotations: Record<string, string>): JsonObject | null {
  const ingress = rateFrom(annotations, INGRESS);
  const egress = rateFrom(annotations, EGRESS);
  if (ingress === null && egress === null) return null;
  return {
    ...(ingress === null ? {} : { ingressRate: ingress, ingressBurst: UNLIMITED_BURST }),
    ...(egress === null ? {} : { egressRate: egress, egressBurst: UNLIMITED_BURST }),
  };
}

/** Bits per second. */
function rateFrom(annotations: Record<string, string>, key: string): number | null {
  const text = annotations[key];
  if (text === undefined) return null;
  try {
    const rate = parseQuantity(text);
    if (rate < MIN_RATE || rate > MAX_RATE) {
      throw new Fault('invalid_argument', `"${text}" is not between 1k and 1P bits per second`);
    }
    return Number(rate);
  } catch (error) {
    throw during(`annotation ${key}`, error);
  }
}
