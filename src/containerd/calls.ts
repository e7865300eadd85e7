import type {
  Client,
  ClientReadableStream,
  CallOptions as GrpcOptions,
  ServiceError,
  StatusObject,
} from '@grpc/grpc-js';
import { Metadata, status } from '@grpc/grpc-js';
import type { FaultCode } from '../lib/fault.ts';
import { codeOf, Fault, messageOf } from '../lib/fault.ts';
import { currentSpan, span } from '../lib/trace.ts';

/** What may be asked of any single call. */
export interface CallOptions {
  /** Cancels the call, at containerd too. */
  signal?: AbortSignal | undefined;
  /** The deadline, which containerd is told. Without it a call may take as long as it likes. */
  timeoutMs?: number;
  /** Id of the lease that holds what the call makes. */
  lease?: string;
}

/** The way of one method, as proto-loader describes it. */
export interface Method<Req, Res> {
  path: string;
  requestSerialize: (request: Req) => Buffer;
  responseDeserialize: (bytes: Buffer) => Res;
}

/** Where calls go. */
export interface Endpoint {
  client: Client;
  address: string;
  namespace: string;
}

/** One request, one response. */
export function callUnary<Req, Res>(
  to: Endpoint,
  message: { method: Method<Req, Res>; request: Req },
  options: CallOptions,
): Promise<Res> {
  return span('containerd', shortName(message.method.path), () => send(to, message, options));
}

/** `/containerd.services.tasks.v1.Tasks/Create` as `Tasks.Create`. */
function shortName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1).replace('/', '.');
}

function send<Req, Res>(
  to: Endpoint,
  { method, request }: { method: Method<Req, Res>; request: Req },
  options: CallOptions,
): Promise<Res> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(abortFault(signal));
  const { promise, resolve, reject } = Promise.withResolvers<Res>();
  const call = to.client.makeUnaryRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadataFor(to, options),
    grpcOptions(options),
    (error, response) => {
      unlink();
      if (error) reject(callFault(to, error, signal));
      // grpc-js gives either an error or a response.
      else resolve(response as Res);
    },
  );
  const unlink = onAbort(signal, () => call.cancel());
  return promise;
}

/** One request, many responses. The call starts here, not at the first read. */
export function callServerStream<Req, Res>(
  to: Endpoint,
  { method, request }: { method: Method<Req, Res>; request: Req },
  options: CallOptions,
): AsyncIterable<Res> {
  if (options.signal?.aborted) throw abortFault(options.signal);
  const call = to.client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadataFor(to, options),
    grpcOptions(options),
  );
  const ended = beginStream(method.path);
  call.once('status', (told: StatusObject) => ended(told.code === status.OK ? null : statusFault(to, told)));
  return responsesOf(to, call, options.signal);
}

/** Begins a stage for a call that streams. The answer is to be told how the call ended, null for well. */
export function beginStream(path: string): (failure: Fault | null) => void {
  const own = currentSpan()?.begin('containerd', shortName(path));
  return (failure) => (failure === null ? own?.finish() : own?.fail(failure));
}

/** Iterates over the responses once. Whoever leaves the loop early cancels the call. */
export function responsesOf<Res>(
  to: Endpoint,
  call: ClientReadableStream<Res>,
  signal: AbortSignal | undefined,
): AsyncIterable<Res> {
  // The status may come when nobody reads any more, and an unheard error would end the process.
  call.on('error', () => {});
  const unlink = onAbort(signal, () => call.cancel());
  call.once('status', unlink);

  const read = async function* (): AsyncGenerator<Res, void, undefined> {
    try {
      yield* call as AsyncIterable<Res>; // a Readable says `any`
    } catch (error) {
      throw callFault(to, error, signal);
    } finally {
      call.cancel();
    }
  };
  return read();
}

/** Runs `act` when the signal fires. Returns the way to stop waiting for it. */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  signal?.addEventListener('abort', act, { once: true });
  return () => signal?.removeEventListener('abort', act);
}

export function metadataFor(to: Endpoint, { lease }: CallOptions): Metadata {
  const metadata = new Metadata();
  metadata.set('containerd-namespace', to.namespace);
  if (lease !== undefined) metadata.set('containerd-lease', lease);
  return metadata;
}

export function grpcOptions({ timeoutMs }: CallOptions): GrpcOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

/** An aborted signal as a Fault. The reason decides on the code, `cancelled` unless it says otherwise. */
export function abortFault({ reason }: AbortSignal): Fault {
  const code = codeOf(reason);
  return new Fault(
    code === 'internal' ? 'cancelled' : code,
    `call to containerd given up: ${messageOf(reason)}`,
    { cause: reason },
  );
}

/** The one way in for errors: the status becomes the code, containerd's words the message. */
export function callFault(to: Endpoint, error: unknown, signal?: AbortSignal): Fault {
  if (error instanceof Fault) return error;
  if (!isServiceError(error)) return new Fault('internal', messageOf(error), { cause: error });
  if (error.code === status.CANCELLED && signal?.aborted) return abortFault(signal);
  return statusFault(to, error, { cause: error });
}

/** A status that is not OK. */
export function statusFault(
  to: Endpoint,
  { code: number, details }: { code: number; details: string },
  options?: ErrorOptions,
): Fault {
  // grpc-js speaks of "no connection" without saying to what.
  const code = codeFrom(number);
  const message = code === 'unavailable' ? `containerd at ${to.address}: ${details}` : details;
  return new Fault(code, message, options);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

function codeFrom(code: number): FaultCode {
  const name = status[code] as keyof typeof status | undefined;
  return name === undefined || name === 'OK' ? 'unknown' : (name.toLowerCase() as FaultCode);
}
