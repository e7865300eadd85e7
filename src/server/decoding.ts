import type { ServeCall, ServerCall } from '../grpc/server.ts';
import { during } from '../lib/fault.ts';
import { toStatus } from './status.ts';

/** What the serving of one RPC needs of its method, as proto-loader describes it. */
export interface Rpc<Req, Res> {
  /** Such as `/runtime.v1.RuntimeService/RunPodSandbox`. */
  path: string;
  responseStream: boolean;
  requestDeserialize: (bytes: Buffer) => Req;
  responseSerialize: (response: Res) => Buffer;
}

/** `RunPodSandbox`. */
export function nameOf({ path }: { path: string }): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Serves calls whose request can be decoded, and refuses the others. `serve` must not reject. */
export function decoding<Req, Res>(
  rpc: Rpc<Req, Res>,
  serve: (call: ServerCall, request: Req) => Promise<void>,
): ServeCall {
  return (call) => {
    let request: Req;
    try {
      request = rpc.requestDeserialize(call.request);
    } catch (error) {
      call.end(toStatus(during(`decode the request of ${nameOf(rpc)}`, error)));
      return;
    }
    void serve(call, request);
  };
}
