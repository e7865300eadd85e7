import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import type { Logger } from 'pino';

/** What a handler knows of the call that it serves, besides the request. */
export interface Call {
  /** The RPC's own name, such as `RunPodSandbox`. */
  readonly rpc: string;
  /** Fires when the client went away or its deadline passed. */
  readonly signal: AbortSignal;
  /** Carries the RPC's name in every line. */
  readonly log: Logger;
}

/** Serves one unary RPC. Throws a Fault to answer with that code, anything else to answer `internal`. */
export type Handler<Req, Res> = (request: Req, call: Call) => Promise<Res> | Res;

/** Serves one server-streaming RPC. The stream ends when the iteration does, or with what it throws. */
export type StreamHandler<Req, Res> = (request: Req, call: Call) => AsyncIterable<Res>;

/** The handlers of one generated service: an RPC that is missing or of the wrong kind is a type error. */
export type ServiceHandlers<Service> = {
  readonly [Rpc in keyof Service as string extends Rpc ? never : number extends Rpc ? never : Rpc]: HandlerOf<
    Service[Rpc]
  >;
};

// A streaming handler also fits the type of a unary one, so it is asked for first.
type HandlerOf<GrpcHandler> =
  GrpcHandler extends handleServerStreamingCall<infer Req, infer Res>
    ? StreamHandler<Req, Res>
    : GrpcHandler extends handleUnaryCall<infer Req, infer Res>
      ? Handler<Req, Res>
      : never;
