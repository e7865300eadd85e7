import type { ImageServiceHandlers } from '../gen/runtime/v1/ImageService.ts';
import type { RuntimeServiceHandlers } from '../gen/runtime/v1/RuntimeService.ts';
import type { GrpcServer, ServeCall } from '../grpc/server.ts';
import { serveGrpc } from '../grpc/server.ts';
import { publishSocket, refuseIfTaken, removeFile, removeIfSame } from '../host/socket-file.ts';
import type { Handler, ServiceHandlers, StreamHandler } from '../lib/call.ts';
import { during } from '../lib/fault.ts';
import type { Edge } from './call-trace.ts';
import type { Rpc } from './decoding.ts';
import { cri } from './proto.ts';
import { serverStream } from './stream.ts';
import { unary } from './unary.ts';

export type RuntimeHandlers = ServiceHandlers<RuntimeServiceHandlers>;
export type ImageHandlers = ServiceHandlers<ImageServiceHandlers>;

/** A running server. Disposing it breaks off what still runs. */
export interface Server extends AsyncDisposable {
  /** Takes no more calls and gives the running ones `ms` to finish, then breaks them off. */
  drain(ms: number): Promise<void>;
}

interface ListenOptions extends Edge {
  /** Path of the unix socket; its directory must exist. */
  address: string;
  runtime: RuntimeHandlers;
  image: ImageHandlers;
}

/** For the owner and his group. */
const SOCKET_MODE = 0o660;

/**
 * Serves both CRI services. A socket that a dead server left is replaced; `failed_precondition` if
 * somebody listens there, or if the path is something else than a socket.
 */
export async function listen({ address, runtime, image, ...edge }: ListenOptions): Promise<Server> {
  await refuseIfTaken(address, 'listen');

  const methods = new Map([
    ...serveAll(cri['runtime.v1.RuntimeService'], runtime, edge),
    ...serveAll(cri['runtime.v1.ImageService'], image, edge),
  ]);

  // Bound under another name first: the public name appears with its mode set, in one step. It also
  // keeps Node, which unlinks the name that it bound, away from a later server's socket.
  const bound = `${address}.${process.pid}`;
  try {
    await removeFile(bound);
    const server = await serveGrpc(bound, methods);
    try {
      const socket = await publishSocket(bound, address, SOCKET_MODE);
      return serverOf(server, () => removeIfSame(address, socket));
    } catch (error) {
      server.destroy();
      throw error;
    }
  } catch (error) {
    throw during(`listen on ${address}`, error);
  }
}

function serverOf(server: GrpcServer, removeSocket: () => Promise<void>): Server {
  const drain = async (ms: number): Promise<void> => {
    await removeSocket();
    const timer = setTimeout(() => server.destroy(), ms);
    await server.drain();
    clearTimeout(timer);
  };
  return { drain, [Symbol.asyncDispose]: () => drain(0) };
}

/** Wraps each handler by the kind of its RPC. That all are there is what their type says. */
function serveAll(
  service: object,
  handlers: RuntimeHandlers | ImageHandlers,
  edge: Edge,
): [path: string, serve: ServeCall][] {
  const methods = service as Record<string, unknown>;
  return Object.entries(handlers).map(([rpc, handler]) => {
    const method = methods[rpc] as Rpc<unknown, unknown>;
    const serve = method.responseStream
      ? serverStream(method, handler as StreamHandler<unknown, unknown>, edge)
      : unary(method, handler as Handler<unknown, unknown>, edge);
    return [method.path, serve];
  });
}
