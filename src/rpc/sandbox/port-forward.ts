import type { PortForwardRequest__Output as Request } from '../../gen/runtime/v1/PortForwardRequest.ts';
import type { PortForwardResponse as Response } from '../../gen/runtime/v1/PortForwardResponse.ts';
import { Fault } from '../../lib/fault.ts';
import type { StreamingServer } from '../../streaming/server.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'sandboxes'> & { readonly streaming: Pick<StreamingServer, 'portForwardUrl'> };

/** Only promises a session: ports are dialled when a client comes for the URL and asks for them. */
export function portForward(needs: Needs, request: Request): Response {
  const wrong = request.port.find((port) => port < 1 || port > 65_535);
  if (wrong !== undefined) throw new Fault('invalid_argument', `port ${wrong} is not between 1 and 65535`);
  const sandbox = needs.sandboxes.mustFind(request.podSandboxId);
  if (sandbox.state !== 'ready') {
    throw new Fault('failed_precondition', `sandbox "${sandbox.id}" is ${sandbox.state}, not ready`);
  }
  return { url: needs.streaming.portForwardUrl({ sandboxId: sandbox.id, ports: request.port }) };
}
