import { runExec } from '../../container/exec.ts';
import { mustRun } from '../../container/exec-process.ts';
import type { ExecSyncRequest__Output as Request } from '../../gen/runtime/v1/ExecSyncRequest.ts';
import type { ExecSyncResponse as Response } from '../../gen/runtime/v1/ExecSyncResponse.ts';
import type { Call } from '../../lib/call.ts';
import { during, innerFault } from '../../lib/fault.ts';
import { newId } from '../../lib/id.ts';
import type { Services } from '../services.ts';
import { cutToFit, OUTPUT_LIMIT } from './exec-output.ts';

type Needs = Pick<
  Services,
  'background' | 'config' | 'containerd' | 'containers' | 'execProcesses' | 'log' | 'paths'
>;

/** The time-out is in seconds; zero waits as long as the caller does. */
export async function execSync(needs: Needs, request: Request, { signal }: Call): Promise<Response> {
  const { id: containerId } = mustRun(needs.containers, request.containerId);
  const wish = { containerId, cmd: request.cmd, tty: false };
  try {
    const order = {
      containerId,
      execId: newId(),
      process: await needs.execProcesses.of(wish, signal),
      timeoutMs: Number(request.timeout) * 1000,
      drainMs: needs.config.execDrainMs,
      limitBytes: OUTPUT_LIMIT,
    };
    const { exitCode, ...output } = await runExec(needs, order, signal);
    return { exitCode, ...cutToFit(output) };
  } catch (error) {
    throw during(`exec in container "${containerId}"`, innerFault(error));
  }
}
