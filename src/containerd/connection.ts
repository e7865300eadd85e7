import type { Logger } from 'pino';
import type { ClientEvents } from '../grpc/client.ts';
import { connectTo } from '../grpc/client.ts';
import type { Http2Connection } from '../grpc/http2-connection.ts';
import { outsideOfTrees } from '../lib/trace.ts';
import type { CallOptions, Duplex, DuplexOptions, Endpoint, Method } from './calls.ts';
import { callDuplex, callServerStream, callUnary } from './calls.ts';

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

/** A connection that was one call's own is kept so long for the next. */
const SPARE_MS = 5_000;

/** Succeeds although containerd is away: calls fail with `unavailable` until it is there. */
export function connect(options: { address: string; namespace: string; log: Logger }): Connection {
  const { address, namespace, log } = options;
  const connections = new Connections(address, reachability(log.child({ address })));
  const to: Endpoint = {
    address,
    namespace,
    shared: () => connections.shared(),
    own: () => connections.own(),
  };
  return {
    address,
    namespace,
    unary: (method, request, callOptions = {}) => callUnary(to, { method, request }, callOptions),
    serverStream: (method, request, callOptions = {}) =>
      callServerStream(to, { method, request }, callOptions),
    duplex: (method, callOptions = {}) => callDuplex(to, method, callOptions),
    [Symbol.dispose]: () => connections.destroy(),
  };
}

/** Makes connections when they are needed, and again when they broke. */
class Connections {
  readonly #address: string;
  readonly #events: ClientEvents;
  readonly #open = new Set<Http2Connection>();
  readonly #spare: { connection: Http2Connection; timer: NodeJS.Timeout }[] = [];
  #shared: Http2Connection | null = null;
  #isOver = false;

  constructor(address: string, events: ClientEvents) {
    this.#address = address;
    this.#events = events;
  }

  shared(): Http2Connection {
    if (this.#shared === null || !this.#shared.isUsable) this.#shared = this.#connect();
    return this.#shared;
  }

  own(): { connection: Http2Connection; giveBack(): void } {
    const connection = this.#takeSpare() ?? this.#connect();
    return { connection, giveBack: () => this.#keep(connection) };
  }

  destroy(): void {
    this.#isOver = true;
    for (const { timer } of this.#spare.splice(0)) clearTimeout(timer);
    for (const connection of this.#open) connection.destroy(new Error('the connection was closed'));
  }

  #connect(): Http2Connection {
    const connection = outsideOfTrees(() =>
      connectTo(this.#address, {
        connected: () => this.#events.connected(),
        closed: (why) => {
          this.#open.delete(connection);
          this.#events.closed(this.#isOver ? null : why);
        },
      }),
    );
    this.#open.add(connection);
    if (this.#isOver) connection.destroy(new Error('the connection was closed'));
    return connection;
  }

  #takeSpare(): Http2Connection | null {
    for (let found = this.#spare.pop(); found !== undefined; found = this.#spare.pop()) {
      clearTimeout(found.timer);
      if (found.connection.isUsable) return found.connection;
    }
    return null;
  }

  #keep(connection: Http2Connection): void {
    if (this.#isOver || !connection.isUsable) return;
    const timer = setTimeout(() => {
      this.#spare.splice(
        this.#spare.findIndex((one) => one.connection === connection),
        1,
      );
      connection.drain();
    }, SPARE_MS);
    timer.unref();
    this.#spare.push({ connection, timer });
  }
}

/** One line when containerd goes and one when it is back, however often we try in between. */
function reachability(log: Logger): ClientEvents {
  let reachable: boolean | null = null;
  return {
    connected() {
      if (reachable !== true) log.info('connected to containerd');
      reachable = true;
    },
    closed(why) {
      if (why === null || reachable === false) return;
      reachable = false;
      log.warn({ err: why }, 'containerd is unreachable');
    },
  };
}
