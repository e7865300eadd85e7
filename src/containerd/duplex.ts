import type { ClientDuplexStream } from '@grpc/grpc-js';
import { Fault } from '../lib/fault.ts';
import type { CallOptions, Endpoint, Method } from './calls.ts';
import { abortFault, callFault, grpcOptions, metadataFor, responsesOf } from './calls.ts';

/** A call that both sides write to. */
export interface Duplex<Req, Res> {
  /** Resolves when the transport has taken the request: await it, and containerd sets the pace. */
  send(request: Req): Promise<void>;
  /** No more requests; containerd may still answer. */
  end(): void;
  /** To be iterated once. Leaving the loop early cancels the call. */
  readonly responses: AsyncIterable<Res>;
  cancel(): void;
}

/** Many requests, many responses. */
export function callDuplex<Req, Res>(
  to: Endpoint,
  method: Method<Req, Res>,
  options: CallOptions,
): Duplex<Req, Res> {
  const { signal } = options;
  if (signal?.aborted) throw abortFault(signal);
  const call = to.client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadataFor(to, options),
    grpcOptions(options),
  );
  return {
    send: senderTo(to, call, signal),
    end: () => void call.end(),
    responses: responsesOf(to, call, signal),
    cancel: () => call.cancel(),
  };
}

/** grpc-js forgets a write's callback when the call ends: here such a write fails with the call. */
function senderTo<Req, Res>(
  to: Endpoint,
  call: ClientDuplexStream<Req, Res>,
  signal: AbortSignal | undefined,
): (request: Req) => Promise<void> {
  let over: Fault | null = null;
  let wake: ((reason: Fault) => void) | null = null;
  const finish = (reason: Fault) => {
    over ??= reason;
    wake?.(over);
  };
  call.once('error', (error) => finish(callFault(to, error, signal)));
  call.once('status', () => finish(new Fault('aborted', 'containerd has ended the stream')));

  return async (request) => {
    if (over) throw over;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    wake = reject;
    call.write(request, (error: Error | null | undefined) => {
      if (error) reject(callFault(to, error, signal));
      else resolve();
    });
    await promise.finally(() => {
      wake = null;
    });
  };
}
