import type { RuntimeHandler } from '../../gen/runtime/v1/RuntimeHandler.ts';
import type { StatusRequest__Output as Request } from '../../gen/runtime/v1/StatusRequest.ts';
import type { StatusResponse as Response } from '../../gen/runtime/v1/StatusResponse.ts';
import type { Call } from '../../lib/call.ts';
import { messageOf } from '../../lib/fault.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'abilities' | 'config' | 'containerd' | 'network' | 'version'>;

/** How long containerd may take to answer before the runtime counts as not ready, in milliseconds. */
const ANSWER_MS = 2_000;

export async function status(needs: Needs, { verbose }: Request, { signal }: Call): Promise<Response> {
  const [runtime, network] = await Promise.all([
    containerdState(needs, signal),
    needs.network.status(signal),
  ]);
  return {
    status: {
      conditions: [
        { type: 'RuntimeReady', status: runtime.ready, reason: runtime.reason, message: runtime.message },
        { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
      ],
    },
    runtimeHandlers: handlers(needs),
    features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: false },
    info: verbose
      ? {
          config: JSON.stringify(needs.config),
          version: JSON.stringify({
            cristal: needs.version,
            containerd: runtime.version,
            node: process.version,
          }),
        }
      : {},
  };
}

async function containerdState(needs: Needs, signal: AbortSignal) {
  try {
    const { version } = await needs.containerd.version({ signal, timeoutMs: ANSWER_MS });
    return { ready: true, reason: '', message: '', version };
  } catch (error) {
    return { ready: false, reason: 'ContainerdNotReady', message: messageOf(error), version: '' };
  }
}

/** The default one is listed once more under the empty name, by which pods without a class know it. */
export function handlers({ config, abilities }: Pick<Needs, 'abilities' | 'config'>): RuntimeHandler[] {
  return ['', ...Object.keys(config.runtimes)].map((name) => {
    const able = abilities.get(name || config.defaultRuntime);
    return {
      name,
      features: {
        recursiveReadOnlyMounts: able?.recursiveReadOnly ?? false,
        // RunPodSandbox refuses them still.
        userNamespaces: false,
      },
    };
  });
}
