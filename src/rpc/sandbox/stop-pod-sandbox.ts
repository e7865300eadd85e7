import { stopContainer } from '../../container/stop.ts';
import type { StopPodSandboxRequest__Output as Request } from '../../gen/runtime/v1/StopPodSandboxRequest.ts';
import type { StopPodSandboxResponse as Response } from '../../gen/runtime/v1/StopPodSandboxResponse.ts';
import { unmount } from '../../host/mounts.ts';
import { allSettled } from '../../lib/all-settled.ts';
import type { Call } from '../../lib/call.ts';
import { releaseSandbox } from '../../sandbox/release.ts';
import { containersOf } from '../../store/containers.ts';
import type { Sandbox, SandboxStatus } from '../../store/sandboxes.ts';
import type { Services } from '../services.ts';

export type StopSandboxNeeds = Pick<
  Services,
  | 'containerd'
  | 'containers'
  | 'exits'
  | 'inits'
  | 'lease'
  | 'locks'
  | 'log'
  | 'namespaces'
  | 'network'
  | 'paths'
  | 'pump'
  | 'released'
  | 'sandboxes'
  | 'stdin'
  | 'stopping'
>;

/** One that does not exist, or was stopped before, is done. */
export async function stopPodSandbox(
  needs: StopSandboxNeeds,
  request: Request,
  call: Call,
): Promise<Response> {
  const sandbox = needs.sandboxes.find(request.podSandboxId);
  if (!sandbox) return {};
  using _alone = await needs.locks.take(`sandbox/${sandbox.id}`, call.signal);
  await stopSandbox(needs, sandbox, call.signal);
  return {};
}

/**
 * Whoever calls holds the sandbox's lock. Not ready comes first, so that no container starts in it any
 * more. It counts from memory: a full disk must not keep a pod from being stopped, and the next cristal
 * sees by itself that the namespaces are gone.
 */
export async function stopSandbox(
  needs: StopSandboxNeeds,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<void> {
  const { id, holder } = sandbox;
  const note = async (change: Partial<Pick<SandboxStatus, 'state' | 'pid'>>) => {
    // A removal stops once more what was stopped before it.
    const { state, pid } = needs.sandboxes.get(id) ?? sandbox;
    if ((change.state ?? state) === state && (change.pid ?? pid) === pid) return;
    await needs.sandboxes.setStatus(id, change).catch((err: unknown) => {
      needs.log.warn({ err, sandboxId: id }, 'could not write down that a pod sandbox stops');
    });
  };
  await note({ state: sandbox.state === 'unknown' ? 'unknown' : 'notready' });
  const running = containersOf(needs.containers, id).filter((container) => container.state === 'running');
  await allSettled(running.map((container) => stopContainer(needs, container, 0, signal)));
  const stateDir = needs.paths.sandboxState(id);
  await releaseSandbox(needs, { id, stateDir, holder }, signal);
  await unmount(`${stateDir}/shm`);
  await note({ pid: 0 });
}
