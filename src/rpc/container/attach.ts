import type { AttachRequest__Output as Request } from '../../gen/runtime/v1/AttachRequest.ts';
import type { AttachResponse as Response } from '../../gen/runtime/v1/AttachResponse.ts';
import type { StreamingServer } from '../../streaming/server.ts';
import type { Services } from '../services.ts';
import { streamTarget } from './stream-request.ts';

type Needs = Pick<Services, 'containers'> & { readonly streaming: Pick<StreamingServer, 'attachUrl'> };

/** Only promises a session with the container's own process. */
export function attach(needs: Needs, request: Request): Response {
  const { tty, stdin, stdout, stderr } = request;
  const { id: containerId } = streamTarget(needs, request);
  return { url: needs.streaming.attachUrl({ containerId, tty, stdin, stdout, stderr }) };
}
