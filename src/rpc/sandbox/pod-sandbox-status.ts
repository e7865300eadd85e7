import type { PodSandboxStatusRequest__Output as Request } from '../../gen/runtime/v1/PodSandboxStatusRequest.ts';
import type { PodSandboxStatusResponse as Response } from '../../gen/runtime/v1/PodSandboxStatusResponse.ts';
import { messageOf } from '../../lib/fault.ts';
import { nowNs } from '../../lib/time.ts';
import { pinsDir } from '../../sandbox/release.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import { statusesIn } from '../container/status.ts';
import type { Services } from '../services.ts';
import { toStatus } from './status.ts';

type Needs = Pick<Services, 'containers' | 'images' | 'network' | 'paths' | 'sandboxes'>;

export async function podSandboxStatus(needs: Needs, { podSandboxId, verbose }: Request): Promise<Response> {
  const sandbox = needs.sandboxes.mustFind(podSandboxId);
  return {
    status: toStatus(sandbox),
    info: verbose ? { info: JSON.stringify(await verboseInfo(needs, sandbox)) } : {},
    containersStatuses: statusesIn(needs, sandbox.id),
    timestamp: nowNs().toString(),
  };
}

async function verboseInfo(needs: Needs, sandbox: Sandbox): Promise<object> {
  const { id, pid, state, holder, runtimeHandler, updatedResources, config } = sandbox;
  const attachment = await needs.network.attachment(id);
  const netns = `${pinsDir(needs.paths.sandboxState(id))}/net`;
  return {
    pid,
    state,
    holder,
    runtimeHandler,
    updatedResources,
    namespaces: pinsDir(needs.paths.sandboxState(id)),
    cniResult: attachment?.result ?? null,
    // Whether the network is still as ADD left it: asked of the plugins only when somebody looks closely.
    cniCheck: attachment && state === 'ready' ? await checkResult(needs, id, netns) : null,
    config,
  };
}

async function checkResult({ network }: Needs, id: string, netns: string): Promise<string> {
  try {
    await network.check(id, netns);
    return 'ok';
  } catch (error) {
    return messageOf(error);
  }
}
