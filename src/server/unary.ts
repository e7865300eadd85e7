import type { handleUnaryCall, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Handler } from '../lib/call.ts';
import { startCallLog } from './call-log.ts';
import { callSignal } from './call-signal.ts';
import { toStatus } from './status.ts';

/** Serves one unary RPC: signal, log, and every error as a status. Whatever is thrown, we stay up. */
export function unary<Req, Res>(
  rpc: string,
  handle: Handler<Req, Res>,
  root: Logger,
): handleUnaryCall<Req, Res> {
  const serve = async (grpcCall: ServerUnaryCall<Req, Res>, reply: sendUnaryData<Res>): Promise<void> => {
    const callLog = startCallLog(rpc, grpcCall.request, root);
    using cancel = callSignal(grpcCall);
    try {
      const response = await handle(grpcCall.request, { rpc, signal: cancel.signal, log: callLog.log });
      callLog.succeeded();
      reply(null, response);
    } catch (error) {
      callLog.failed(error);
      reply(toStatus(error));
    }
  };
  return (grpcCall, reply) => void serve(grpcCall, reply);
}
