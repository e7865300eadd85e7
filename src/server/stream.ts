import type { ServeCall, ServerCall } from '../grpc/server.ts';
import type { StreamHandler } from '../lib/call.ts';
import { startCallLog } from './call-log.ts';
import type { Edge } from './call-trace.ts';
import { rootOf } from './call-trace.ts';
import type { Rpc } from './decoding.ts';
import { decoding, nameOf } from './decoding.ts';
import { encoderFor } from './encode-list.ts';
import { OK, toStatus } from './status.ts';

/**
 * Serves one server-streaming RPC. Asks the handler for the next message only when the client has
 * room for it. A handler that waits for something must watch `call.signal`.
 */
export function serverStream<Req, Res>(
  method: Rpc<Req, Res>,
  handle: StreamHandler<Req, Res>,
  edge: Edge,
): ServeCall {
  const rpc = nameOf(method);
  const encode = encoderFor(rpc, method.responseSerialize);
  const serve = async (call: ServerCall, request: Req): Promise<void> => {
    const { signal } = call;
    const callLog = startCallLog(rpc, request, edge.log);
    try {
      const { log } = callLog;
      await edge.tracer.run(
        rootOf(rpc, request, { targetOf: edge.targetOf, headers: call.headers }),
        async ({ tree }) => {
          log.setBindings({ trace: tree.id });
          for await (const message of handle(request, { rpc, signal, log })) {
            signal.throwIfAborted();
            await call.send(encode(message));
          }
        },
      );
      callLog.succeeded();
      call.end(OK);
    } catch (error) {
      callLog.failed(error);
      call.end(toStatus(error));
    }
  };
  return decoding(method, serve);
}
