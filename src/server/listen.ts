import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { ImageServiceHandlers } from '../gen/runtime/v1/ImageService.ts';
import type { RuntimeServiceHandlers } from '../gen/runtime/v1/RuntimeService.ts';
import { publishSocket, refuseIfTaken, removeFile, removeIfSame } from '../host/socket-file.ts';
import type { Handler, ServiceHandlers, StreamHandler } from '../lib/call.ts';
import { during } from '../lib/fault.ts';
import type { Edge } from './call-trace.ts';
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

/** Both ways, as clients of the CRI set it. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** For the owner and his group. */
const SOCKET_MODE = 0o660;

/**
 * Serves both CRI services. A socket that a dead server left is replaced; `failed_precondition` if
 * somebody listens there, or if the path is something else than a socket.
 */
export async function listen({ address, runtime, image, ...edge }: ListenOptions): Promise<Server> {
  await refuseIfTaken(address, 'listen');

  const server = new GrpcServer({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  });
  const runtimeService = cri['runtime.v1.RuntimeService'];
  const imageService = cri['runtime.v1.ImageService'];
  server.addService(runtimeService, serveAll(runtimeService, runtime, edge));
  server.addService(imageService, serveAll(imageService, image, edge));

  // Bound under another name first: the public name appears with its mode set, in one step. It also
  // keeps Node, which unlinks the name that it bound, away from a later server's socket.
  const bound = `${address}.${process.pid}`;
  try {
    await removeFile(bound);
    await bind(server, bound);
    const socket = await publishSocket(bound, address, SOCKET_MODE);
    return serverOf(server, () => removeIfSame(address, socket));
  } catch (error) {
    server.forceShutdown();
    throw during(`listen on ${address}`, error);
  }
}

function serverOf(server: GrpcServer, removeSocket: () => Promise<void>): Server {
  const drain = async (ms: number): Promise<void> => {
    await removeSocket();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => server.forceShutdown(), ms);
    // An error here says that the server was not running, which is what we want.
    server.tryShutdown(() => resolve());
    await promise;
    clearTimeout(timer);
  };
  return { drain, [Symbol.asyncDispose]: () => drain(0) };
}

function bind(server: GrpcServer, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
    if (error) reject(error);
    else resolve();
  });
  return promise;
}

/** Wraps each handler by the kind of its RPC. That all are there is what their type says. */
function serveAll(
  service: ServiceDefinition,
  handlers: RuntimeHandlers | ImageHandlers,
  edge: Edge,
): UntypedServiceImplementation {
  const served: UntypedServiceImplementation = {};
  for (const [rpc, handler] of Object.entries(handlers)) {
    served[rpc] = service[rpc]?.responseStream
      ? serverStream(rpc, handler as StreamHandler<unknown, unknown>, edge)
      : unary(rpc, handler as Handler<unknown, unknown>, edge);
  }
  return served;
}
