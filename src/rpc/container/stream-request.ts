import { Fault } from '../../lib/fault.ts';
import type { Container } from '../../store/containers.ts';
import type { Services } from '../services.ts';

/** What Exec and Attach have in common. */
export interface StreamRequest {
  readonly containerId: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/**
 * The container to stream from and to. Throws `invalid_argument` where no stream or an impossible one is
 * asked for, and `failed_precondition` unless it runs.
 */
export function streamTarget(needs: Pick<Services, 'containers'>, request: StreamRequest): Container {
  const { containerId, tty, stdin, stdout, stderr } = request;
  if (tty && stderr) throw new Fault('invalid_argument', 'with a tty there is no stderr of its own');
  if (!stdin && !stdout && !stderr) {
    throw new Fault('invalid_argument', 'at least one of stdin, stdout and stderr is required');
  }
  const container = needs.containers.mustFind(containerId);
  if (container.state !== 'running') {
    throw new Fault('failed_precondition', `container "${container.id}" is ${container.state}, not running`);
  }
  return container;
}
