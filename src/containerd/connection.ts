import { Client, connectivityState, credentials } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { CallOptions, Endpoint, Method } from './calls.ts';
import { callServerStream, callUnary } from './calls.ts';
import type { Duplex, DuplexOptions } from './duplex.ts';
import { callDuplex, PING } from './duplex.ts';

export type { CallOptions, Method } from './calls.ts';

/**
 * One channel to containerd for all services. Every failure is a Fault with the code that containerd
 * answered; `unavailable` when it cannot be reached, `cancelled` and `deadline_exceeded` by CallOptions.
 * The channel finds a restarted containerd by itself: a call that failed may simply be made again.
 */
export interface Connection extends Disposable {
  readonly address: string;
  readonly namespace: string;
  unary<Req, Res>(method: Method<Req, Res>, request: NoInfer<Req>, options?: CallOptions): Promise<Res>;
  /** The call starts at once, not at the first read. Leaving the loop early cancels it. */
  serverStream<Req, Res>(
    method: Method<Req, Res>,
    request: NoInfer<Req>,
    options?: CallOptions,
  ): AsyncIterable<Res>;
  /** Has a connection of its own. */
  duplex<Req, Res>(method: Method<Req, Res>, options?: DuplexOptions): Duplex<Req, Res>;
}

/** Both ways, as containerd's own limit. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const channelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  // The peer is on this machine: trying often costs nothing, and a restart is noticed at once.
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 100,
  'grpc.keepalive_time_ms': PING.everyMs,
  'grpc.keepalive_timeout_ms': PING.timeoutMs,
  'grpc.keepalive_permit_without_calls': 0,
};

/** Succeeds although containerd is away: calls fail with `unavailable` until it is there. */
export function connect(options: { address: string; namespace: string; log: Logger }): Connection {
  const { address, namespace, log } = options;
  const client = new Client(`unix:${address}`, credentials.createInsecure(), channelOptions);
  const to: Endpoint = { client, address, namespace };
  logReachability(client.getChannel(), log.child({ address }));

  return {
    address,
    namespace,
    unary: (method, request, callOptions = {}) => callUnary(to, { method, request }, callOptions),
    serverStream: (method, request, callOptions = {}) =>
      callServerStream(to, { method, request }, callOptions),
    duplex: (method, callOptions = {}) => callDuplex(to, method, callOptions),
    [Symbol.dispose]: () => client.close(),
  };
}

/** One line when containerd goes and one when it is back, however often we try in between. */
function logReachability(channel: ReturnType<Client['getChannel']>, log: Logger): void {
  let reachable: boolean | null = null;
  const observe = (): void => {
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.SHUTDOWN) return;
    if (state === connectivityState.READY && reachable !== true) {
      reachable = true;
      log.info('connected to containerd');
    }
    if (state === connectivityState.TRANSIENT_FAILURE && reachable !== false) {
      reachable = false;
      log.warn('containerd is unreachable');
    }
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, observe);
  };
  observe();
}
