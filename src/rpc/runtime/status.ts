import { judgeMachine } from '../../daemon/preflight.ts';
import type { PreflightFacts } from '../../daemon/preflight-facts.ts';
import { gatherFacts } from '../../daemon/preflight-facts.ts';
import type { RuntimeCondition } from '../../gen/runtime/v1/RuntimeCondition.ts';
import type { RuntimeHandler } from '../../gen/runtime/v1/RuntimeHandler.ts';
import type { StatusRequest__Output as Request } from '../../gen/runtime/v1/StatusRequest.ts';
import type { StatusResponse as Response } from '../../gen/runtime/v1/StatusResponse.ts';
import { exists } from '../../host/files.ts';
import type { Call } from '../../lib/call.ts';
import type { Services } from '../services.ts';

type Needs = Pick<
  Services,
  'abilities' | 'cgroupDriver' | 'config' | 'containerd' | 'facts' | 'network' | 'paths' | 'version'
>;

/** How long containerd may take to answer before the runtime counts as not ready, in milliseconds. */
const ANSWER_MS = 2_000;

/** Looks at all that is looked at before the start, so that what broke since then is told as well. */
export async function status(needs: Needs, { verbose }: Request, { signal }: Call): Promise<Response> {
  const { config, containerd, network, facts: host } = needs;
  const facts = await gatherFacts(
    { config, containerd, network, host, exists },
    { signal, timeoutMs: ANSWER_MS },
  );
  return {
    status: { conditions: conditionsOf(facts, config) },
    runtimeHandlers: handlers(needs),
    features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: true, mountOptions: true },
    info: verbose ? verboseInfo(needs, facts) : {},
  };
}

/**
 * The two that the kubelet acts on, and two for people: what containerd calls deprecated, under the name that
 * its own CRI has for it, and what of the machine or the configuration keeps pods from all that they ask for.
 */
export function conditionsOf(facts: PreflightFacts, config: Services['config']): RuntimeCondition[] {
  const { containerd, network } = facts;
  const findings = judgeMachine(facts, config);
  const errors = findings.filter(({ level }) => level === 'error').map(({ what }) => what);
  const warnings = findings.filter(({ level }) => level === 'warn');
  const deprecations = 'error' in containerd ? {} : containerd.deprecations;
  return [
    condition(
      'RuntimeReady',
      'error' in containerd ? 'ContainerdNotReady' : 'RuntimeNotFit',
      errors.join('; '),
    ),
    condition('NetworkReady', network.reason, network.ready ? '' : network.message),
    condition(
      'ContainerdHasNoDeprecationWarnings',
      'ContainerdHasDeprecationWarnings',
      Object.keys(deprecations).length > 0 ? JSON.stringify(deprecations) : '',
    ),
    condition(
      'CristalHasNoWarnings',
      'CristalHasWarnings',
      warnings.map(({ what, mend }) => `${what}; to mend it, ${mend}`).join('. '),
    ),
  ];
}

/** Holds when nothing is to be said against it. */
function condition(type: string, reason: string, message: string): RuntimeCondition {
  return message === ''
    ? { type, status: true, reason: '', message }
    : { type, status: false, reason, message };
}

function verboseInfo(needs: Needs, { containerd }: PreflightFacts): Record<string, string> {
  const { config, version, network, paths, cgroupDriver, facts } = needs;
  const cni = network.config();
  const info = {
    config,
    version: {
      cristal: version,
      containerd: 'error' in containerd ? '' : containerd.version,
      node: process.version,
    },
    cniconfig: { confDir: config.cni.confDir, binDirs: config.cni.binDirs, ...cni },
    paths: { root: config.root, state: config.state, ...paths },
    machine: {
      cgroup: facts.cgroup,
      cgroupDriver,
      apparmor: facts.apparmor,
      selinux: facts.selinux,
      swap: facts.swap,
    },
  };
  // As containerd's CRI tells it, for the tools that look for it.
  const lastCNILoadStatus = cni.problem === '' ? 'OK' : cni.problem;
  const texts = Object.entries(info).map(([key, value]) => [key, JSON.stringify(value)]);
  return { ...Object.fromEntries(texts), lastCNILoadStatus };
}

/** The default one is listed once more under the empty name, by which pods without a class know it. */
export function handlers({ config, abilities }: Pick<Needs, 'abilities' | 'config'>): RuntimeHandler[] {
  return ['', ...Object.keys(config.runtimes)].map((name) => {
    const able = abilities.get(name || config.defaultRuntime);
    return {
      name,
      features: {
        recursiveReadOnlyMounts: able?.recursiveReadOnly ?? false,
        userNamespaces: able?.userNamespaces ?? false,
      },
    };
  });
}
