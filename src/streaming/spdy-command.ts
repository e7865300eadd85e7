import type { Duplex } from 'node:stream';
import { Fault } from '../lib/fault.ts';
import type { AttachWish } from '../lib/streams.ts';
import { flush, quiet, readableSide, writableSide } from './half-streams.ts';
import { statusJson, statusText } from './outcome.ts';
import { Resizes } from './resizes.ts';
import type { CommandCarrier, SessionScope } from './session.ts';
import type { SpdyConnection, SpdyStream } from './spdy/connection.ts';
import { serveSpdy } from './spdy/connection.ts';

/** How long a client has to open its streams, in milliseconds. */
const CREATION_MS = 30_000;

/** More than any version of the protocol knows, so that a client can only waste its own connection. */
const MAX_STREAMS = 16;

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';
type Gathered = ReadonlyMap<StreamType, SpdyStream>;

/** What is left to do with the socket once the upgrade was answered. */
export interface SpdyUpgrade {
  readonly socket: Duplex;
  /** What came with the request. */
  readonly head: Buffer;
  readonly protocol: string;
  /** How long the client may take to open its streams, in milliseconds. */
  readonly creationMs?: number;
}

/** Exec and attach over SPDY: each stream of the wish, one for the outcome, and one for terminal sizes. */
export async function openSpdyCommand(
  { log, idleMs, stopping }: Omit<SessionScope, 'sessions'>,
  upgrade: SpdyUpgrade,
  wish: AttachWish,
): Promise<CommandCarrier> {
  const awaited = new Set<string>(streamTypes(wish, upgrade.protocol));
  const arrived = new Map<StreamType, SpdyStream>();
  const complete = Promise.withResolvers<void>();

  const connection = serveSpdy(upgrade.socket, upgrade.head, {
    log,
    idleMs,
    maxStreams: MAX_STREAMS,
    onStream(stream) {
      quiet(stream.duplex);
      const type = stream.headers['streamtype'] ?? '';
      if (!awaited.delete(type)) {
        log.debug({ type }, 'stream refused: twice, unknown or not asked for');
        stream.reset();
        return;
      }
      arrived.set(type as StreamType, stream);
      stream.reply();
      if (awaited.size === 0) complete.resolve();
    },
  });
  const limits = { awaited, stopping, ms: upgrade.creationMs ?? CREATION_MS };
  await completed(connection, complete.promise, limits);
  return upgrade.protocol === 'channel.k8s.io'
    ? oldestCarrier(connection, arrived)
    : carrierOf(connection, arrived, upgrade.protocol === 'v4.channel.k8s.io' ? statusJson : statusText);
}

function streamTypes({ stdin, stdout, stderr, tty }: AttachWish, protocol: string): StreamType[] {
  const resizes = tty && ['v3.channel.k8s.io', 'v4.channel.k8s.io'].includes(protocol);
  const wanted: [StreamType, boolean][] = [
    ['error', true],
    ['stdin', stdin],
    ['stdout', stdout],
    ['stderr', stderr],
    ['resize', resizes],
  ];
  return wanted.filter(([, isWanted]) => isWanted).map(([type]) => type);
}

interface Limits {
  /** The streams that are still to come. */
  readonly awaited: ReadonlySet<string>;
  readonly stopping: AbortSignal;
  readonly ms: number;
}

/** Rejects, with the connection closed, if something else happens before all streams are there. */
async function completed(
  connection: SpdyConnection,
  complete: Promise<void>,
  { awaited, stopping, ms }: Limits,
): Promise<void> {
  const { promise: failure, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const missing = [...awaited].join(', ');
    reject(new Fault('deadline_exceeded', `the client did not open ${missing} within ${ms} ms`));
  }, ms);
  const stop = (): void => reject(stopping.reason);
  stopping.addEventListener('abort', stop);
  void connection.closed.then(() =>
    reject(new Fault('cancelled', 'the client left before it opened its streams')),
  );
  try {
    await Promise.race([complete, failure]);
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    stopping.removeEventListener('abort', stop);
  }
}

function carrierOf(connection: SpdyConnection, streams: Gathered, toText: typeof statusJson): CommandCarrier {
  const [stdin, stdout, stderr] = sidesOf(streams);
  const resizes = new Resizes();
  streams.get('resize')?.duplex.on('data', (chunk: Buffer) => resizes.write(chunk));
  const status = streams.get('error');
  return {
    streams: { stdin, stdout, stderr, onResize: (listener) => resizes.listen(listener) },
    closed: connection.closed,
    async finish(outcome) {
      stdin?.destroy();
      // The outcome last: a client may leave as soon as it has it.
      await Promise.all([flush(stdout), flush(stderr)]);
      if (status && !status.duplex.destroyed) {
        status.duplex.write(toText(outcome));
        await flush(status.duplex);
      }
      await connection.close();
    },
  };
}

/**
 * Version 1 can neither tell an outcome nor the end of stdin: since Kubernetes 1.0 its servers reset the
 * error stream and close their half of stdin as soon as the session begins, and clients rely on it.
 */
function oldestCarrier(connection: SpdyConnection, streams: Gathered): CommandCarrier {
  const [stdin, stdout, stderr] = sidesOf(streams);
  streams.get('stdin')?.duplex.end();
  streams.get('error')?.reset();
  return {
    streams: { stdin, stdout, stderr, onResize: () => {} },
    closed: connection.closed,
    async finish() {
      stdin?.destroy();
      await Promise.all([flush(stdout), flush(stderr)]);
      await connection.close();
    },
  };
}

function sidesOf(streams: Gathered) {
  const stdin = streams.get('stdin');
  const outputs = (['stdout', 'stderr'] as const).map((type) => {
    const stream = streams.get(type);
    if (!stream) return null;
    stream.duplex.resume(); // nothing comes from there but the client's half-close
    return writableSide(stream.duplex);
  });
  return [stdin ? readableSide(stdin.duplex) : null, outputs[0] ?? null, outputs[1] ?? null] as const;
}
