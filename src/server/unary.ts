import type { ServeCall, ServerCall } from '../grpc/server.ts';
import type { Handler } from '../lib/call.ts';
import { startCallLog } from './call-log.ts';
import type { Edge } from './call-trace.ts';
import { rootOf } from './call-trace.ts';
import type { Rpc } from './decoding.ts';
import { decoding, nameOf } from './decoding.ts';
import { encoderFor } from './encode-list.ts';
import { OK, toStatus } from './status.ts';

/** Serves one unary RPC: signal, log, trace, and every error as a status. Whatever is thrown, we stay up. */
export function unary<Req, Res>(method: Rpc<Req, Res>, handle: Handler<Req, Res>, edge: Edge): ServeCall {
  const rpc = nameOf(method);
  const encode = encoderFor(rpc, method.responseSerialize);
  const serve = async (call: ServerCall, request: Req): Promise<void> => {
    const callLog = startCallLog(rpc, request, edge.log);
    try {
      const { log } = callLog;
      const response = await edge.tracer.run(
        rootOf(rpc, request, { targetOf: edge.targetOf, headers: call.headers }),
        ({ tree }) => {
          log.setBindings({ trace: tree.id });
          return handle(request, { rpc, signal: call.signal, log });
        },
      );
      const message = encode(response);
      callLog.succeeded();
      call.end(OK, message);
    } catch (error) {
      callLog.failed(error);
      call.end(toStatus(error));
    }
  };
  return decoding(method, serve);
}
