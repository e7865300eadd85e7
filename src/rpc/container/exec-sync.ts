import { runExec } from '../../container/exec.ts';
import type { ExecSyncRequest__Output as Request } from '../../gen/runtime/v1/ExecSyncRequest.ts';
import type { ExecSyncResponse as Response } from '../../gen/runtime/v1/ExecSyncResponse.ts';
import type { Call } from '../../lib/call.ts';
import { codeOf, during, Fault, isCode } from '../../lib/fault.ts';
import { newId } from '../../lib/id.ts';
import { buildExecProcess } from '../../spec/exec.ts';
import { processAny, specFrom } from '../oci-any.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'config' | 'containerd' | 'containers' | 'log' | 'paths'>;

/** Bytes kept of each stream, as the CRI says. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** The time-out is in seconds; zero waits as long as the caller does. */
export async function execSync(needs: Needs, request: Request, { signal }: Call): Promise<Response> {
  const container = needs.containers.mustFind(request.containerId);
  if (container.state !== 'running') {
    throw new Fault('failed_precondition', `container "${container.id}" is ${container.state}, not running`);
  }
  const { spec } = await needs.containerd.containers.get(container.id, { signal }).catch((error: unknown) => {
    throw during('read the container from containerd', error, 'internal');
  });
  if (!spec) throw new Fault('internal', `container "${container.id}" has no spec in containerd`);
  const order = {
    containerId: container.id,
    execId: newId(),
    process: processAny(buildExecProcess(specFrom(spec), request.cmd, false)),
    timeoutMs: Number(request.timeout) * 1000,
    drainMs: needs.config.execDrainMs,
    limitBytes: OUTPUT_LIMIT,
  };
  try {
    return await runExec(needs, order, signal);
  } catch (error) {
    // An inner `not_found` is the process's, not the container's.
    throw during(
      `exec in container "${container.id}"`,
      error,
      isCode(error, 'not_found') ? 'internal' : codeOf(error),
    );
  }
}
