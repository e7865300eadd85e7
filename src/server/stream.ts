import { once } from 'node:events';
import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js';
import type { StreamHandler } from '../lib/call.ts';
import { startCallLog } from './call-log.ts';
import { callSignal } from './call-signal.ts';
import type { Edge } from './call-trace.ts';
import { rootOf } from './call-trace.ts';
import { toStatus } from './status.ts';

/**
 * Serves one server-streaming RPC. Asks the handler for the next message only when the client has
 * room for it. A handler that waits for something must watch `call.signal`.
 */
export function serverStream<Req, Res>(
  rpc: string,
  handle: StreamHandler<Req, Res>,
  edge: Edge,
): handleServerStreamingCall<Req, Res> {
  const serve = async (grpcCall: ServerWritableStream<Req, Res>): Promise<void> => {
    const callLog = startCallLog(rpc, grpcCall.request, edge.log);
    using cancel = callSignal(grpcCall);
    const { signal } = cancel;
    try {
      const { log } = callLog;
      await edge.tracer.run(rootOf(rpc, grpcCall, edge), async ({ tree }) => {
        log.setBindings({ trace: tree.id });
        for await (const message of handle(grpcCall.request, { rpc, signal, log })) {
          signal.throwIfAborted();
          if (!grpcCall.write(message)) await once(grpcCall, 'drain', { signal });
        }
      });
      callLog.succeeded();
      grpcCall.end();
    } catch (error) {
      callLog.failed(error);
      // The way in which grpc-js wants to hear that a stream ends badly.
      grpcCall.emit('error', toStatus(error));
    }
  };
  return (grpcCall) => void serve(grpcCall);
}
