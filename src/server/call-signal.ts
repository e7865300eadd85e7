import type { EventEmitter } from 'node:events';

/** What unary and streaming calls of grpc-js have in common. */
interface GrpcCall extends EventEmitter {
  cancelled: boolean;
  getDeadline(): Date | number;
}

/** A signal for the time that a call is being served. */
export interface CallSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Fires when the client went away or its deadline passed. Dispose it once the handler has finished:
 * grpc-js also says "cancelled" of a call that ended well, and work that outlives the call (a pull
 * that others joined) must not hear that.
 */
export function callSignal(grpcCall: GrpcCall): CallSignal {
  const controller = new AbortController();
  const cancel = (): void => controller.abort(reasonFor(grpcCall.getDeadline()));
  grpcCall.once('cancelled', cancel);
  if (grpcCall.cancelled) cancel();
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => void grpcCall.off('cancelled', cancel),
  };
}

function reasonFor(deadline: Date | number): DOMException {
  return Number(deadline) <= Date.now()
    ? new DOMException('the deadline of the call has passed', 'TimeoutError')
    : new DOMException('the client has given up the call', 'AbortError');
}
