import type { handleUnaryCall, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Handler } from '../lib/call.ts';
import { startCallLog } from './call-log.ts';
import { callSignal } from './call-signal.ts';
import type { Edge } from './call-trace.ts';
import { rootOf } from './call-trace.ts';
import { toStatus } from './status.ts';

/** Serves one unary RPC: signal, log, trace, and every error as a status. Whatever is thrown, we stay up. */
export function unary<Req, Res>(
  rpc: string,
  handle: Handler<Req, Res>,
  edge: Edge,
): handleUnaryCall<Req, Res> {
  const serve = async (grpcCall: ServerUnaryCall<Req, Res>, reply: sendUnaryData<Res>): Promise<void> => {
    const callLog = startCallLog(rpc, grpcCall.request, edge.log);
    using cancel = callSignal(grpcCall);
    try {
      const { log } = callLog;
      const response = await edge.tracer.run(rootOf(rpc, grpcCall, edge), ({ tree }) => {
        log.setBindings({ trace: tree.id });
        return handle(grpcCall.request, { rpc, signal: cancel.signal, log });
      });
      callLog.succeeded();
      reply(null, response);
    } catch (error) {
      callLog.failed(error);
      reply(toStatus(error));
    }
  };
  return (grpcCall, reply) => void serve(grpcCall, reply);
}
