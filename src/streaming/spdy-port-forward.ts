import type { Duplex } from 'node:stream';
import type { PortForwardWish } from '../lib/streams.ts';
import type { Forwarding } from './forward.ts';
import { forwardPort, parsePort } from './forward.ts';
import { quiet } from './half-streams.ts';
import type { SessionScope } from './session.ts';
import type { SpdyStream } from './spdy/connection.ts';
import { serveSpdy } from './spdy/connection.ts';

/** How long the second stream of a pair may take, in milliseconds. */
const PAIR_MS = 30_000;

interface HalfPair {
  readonly stream: SpdyStream;
  readonly type: 'data' | 'error';
  readonly timer: NodeJS.Timeout;
}

export interface SpdySocket {
  readonly socket: Duplex;
  /** What came with the request. */
  readonly head: Buffer;
  /** How long the second stream of a pair may take, in milliseconds. */
  readonly pairMs?: number;
}

/**
 * Forwards connections until the client leaves. Each is a pair of streams that name the same request id
 * and port: one for data, one for what went wrong. They come in any order, many pairs at a time.
 */
export async function runSpdyPortForward(
  scope: SessionScope,
  wish: PortForwardWish,
  { socket, head, pairMs = PAIR_MS }: SpdySocket,
): Promise<void> {
  const gone = new AbortController();
  const forwarding: Forwarding = { ...scope, wish, signal: AbortSignal.any([gone.signal, scope.stopping]) };
  const waiting = new Map<string, HalfPair>();
  const running = new Set<Promise<void>>();

  const connection = serveSpdy(socket, head, {
    log: scope.log,
    idleMs: scope.idleMs,
    onStream(stream) {
      quiet(stream.duplex);
      const type = stream.headers['streamtype'];
      const port = parsePort(stream.headers['port']);
      if (port === null || (type !== 'data' && type !== 'error')) {
        stream.reset();
        return;
      }
      stream.reply();
      const id = requestIdOf(stream, type);
      const other = waiting.get(id);
      if (other === undefined) {
        const timer = setTimeout(() => giveUp(id), pairMs);
        waiting.set(id, { stream, type, timer });
      } else if (other.type === type) {
        stream.reset();
      } else {
        clearTimeout(other.timer);
        waiting.delete(id);
        const [data, error] = type === 'data' ? [stream, other.stream] : [other.stream, stream];
        const work = forwardPair(forwarding, { data, error }).finally(() => running.delete(work));
        running.add(work);
      }
    },
  });

  const giveUp = (id: string): void => {
    const half = waiting.get(id);
    waiting.delete(id);
    if (half?.type === 'error')
      half.stream.duplex.end(`request ${id} had no data stream within ${pairMs} ms`);
    else half?.stream.reset();
  };

  const stop = (): void => void connection.close();
  scope.stopping.addEventListener('abort', stop);
  if (scope.stopping.aborted) stop();
  await connection.closed;
  scope.stopping.removeEventListener('abort', stop);
  for (const { timer } of waiting.values()) clearTimeout(timer);
  gone.abort();
  await Promise.allSettled(running);
}

async function forwardPair(
  forwarding: Forwarding,
  { data, error }: { data: SpdyStream; error: SpdyStream },
): Promise<void> {
  error.duplex.resume(); // nothing comes from there but the client's half-close
  const port = parsePort(data.headers['port']) ?? 0;
  const problem = await forwardPort(forwarding, port, { readable: data.duplex, writable: data.duplex });
  error.duplex.end(problem ?? '');
  if (problem === null) return;
  data.duplex.end();
  data.duplex.resume();
}

/**
 * Clients from before request ids opened the error stream first and the data stream next, and streams
 * of a client have odd numbers.
 */
function requestIdOf(stream: SpdyStream, type: 'data' | 'error'): string {
  return stream.headers['requestid'] ?? `stream ${type === 'error' ? stream.id : stream.id - 2}`;
}
