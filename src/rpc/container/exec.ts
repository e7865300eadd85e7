import type { ExecRequest__Output as Request } from '../../gen/runtime/v1/ExecRequest.ts';
import type { ExecResponse as Response } from '../../gen/runtime/v1/ExecResponse.ts';
import { Fault } from '../../lib/fault.ts';
import type { StreamingServer } from '../../streaming/server.ts';
import type { Services } from '../services.ts';
import { streamTarget } from './stream-request.ts';

type Needs = Pick<Services, 'containers'> & { readonly streaming: Pick<StreamingServer, 'execUrl'> };

/** Only promises a session: the process is started when a client comes for the URL. */
export function exec(needs: Needs, request: Request): Response {
  const { cmd, tty, stdin, stdout, stderr } = request;
  if (cmd.length === 0) throw new Fault('invalid_argument', 'cmd is required');
  const { id: containerId } = streamTarget(needs, request);
  return { url: needs.streaming.execUrl({ containerId, cmd, tty, stdin, stdout, stderr }) };
}
