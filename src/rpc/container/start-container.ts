import { runtimeNamed } from '../../config/runtimes.ts';
import { outliveShim, shimMayBeEnding } from '../../container/ending-shim.ts';
import { START_ERROR_EXIT_CODE } from '../../container/exit.ts';
import { startTask } from '../../container/task.ts';
import type { StartContainerRequest__Output as Request } from '../../gen/runtime/v1/StartContainerRequest.ts';
import type { StartContainerResponse as Response } from '../../gen/runtime/v1/StartContainerResponse.ts';
import type { Call } from '../../lib/call.ts';
import { during, Fault, innerFault, messageOf } from '../../lib/fault.ts';
import { nowNs } from '../../lib/time.ts';
import type { Container } from '../../store/containers.ts';
import { containersOf } from '../../store/containers.ts';
import type { Operation } from '../operations.ts';
import { runtimeOptions } from '../runtime-options.ts';
import type { Services } from '../services.ts';

type Needs = Pick<
  Services,
  | 'cgroupDriver'
  | 'config'
  | 'containerd'
  | 'containers'
  | 'exits'
  | 'inits'
  | 'locks'
  | 'log'
  | 'operations'
  | 'paths'
  | 'pump'
  | 'released'
  | 'sandboxes'
  | 'stdin'
  | 'stopping'
>;

/** A container that this call, or the one it repeats, started already is done. */
export async function startContainer(needs: Needs, request: Request, call: Call): Promise<Response> {
  const { id, config } = needs.containers.mustFind(request.containerId);
  const name = `StartContainer ${config.metadata?.name ?? ''} (${id})`;
  await needs.operations.run({ name, fingerprint: '' }, call, (operation) => start(needs, id, operation));
  return {};
}

async function start(needs: Needs, id: string, operation: Operation): Promise<void> {
  const { containers, locks } = needs;
  operation.stage('wait for the pod sandbox');
  const sandboxId = containers.mustFind(id).sandboxId;
  using _shared = await locks.share(`sandbox/${sandboxId}`, operation.signal);
  // The event of its exit waits for this lock, so that a container is never seen to exit before it started.
  using _held = await locks.take(`container/${id}`, operation.signal);
  const container = containers.mustFind(id);
  if (container.state === 'running') return;
  if (container.state !== 'created') {
    throw new Fault(
      'failed_precondition',
      `container "${id}" is ${container.state}; only a created one can be started`,
    );
  }
  const sandbox = needs.sandboxes.get(sandboxId);
  if (sandbox?.state !== 'ready') {
    throw new Fault('failed_precondition', `pod sandbox "${sandboxId}" is not ready`);
  }
  expectTarget(needs, container);

  const runtime = runtimeNamed(needs.config, container.runtimeHandler);
  const others = containersOf(containers, sandboxId).filter((other) => other.id !== id);
  const { signal } = operation;
  const options = {
    runtime: runtimeOptions(runtime, needs.cgroupDriver),
    maxLineBytes: needs.config.maxLogLineBytes,
    ...operation,
  };
  try {
    const mayBeEnding = shimMayBeEnding(sandbox, others, nowNs());
    await outliveShim(() => startTask(needs, container, options), { mayBeEnding, signal });
  } catch (error) {
    const failed = {
      state: 'exited',
      pid: 0,
      exitCode: START_ERROR_EXIT_CODE,
      reason: 'StartError',
      message: messageOf(error),
      finishedAt: nowNs(),
    } as const;
    await containers.setStatus(id, failed).catch((err: unknown) => {
      // Memory has it, and the caller is to hear of the first error.
      needs.log.error({ err, containerId: id }, 'could not write down that a start failed');
    });
    throw during(`start container "${id}"`, innerFault(error));
  }
}

/** Its spec names the target's process by an id that is another's once the target has ended. */
function expectTarget({ containers }: Pick<Needs, 'containers'>, { config }: Container): void {
  const { pid, targetId = '' } = config.linux?.securityContext?.namespaceOptions ?? {};
  if (pid !== 'TARGET' || containers.find(targetId)?.state === 'running') return;
  throw new Fault('failed_precondition', `target container "${targetId}" does not run any more`);
}
