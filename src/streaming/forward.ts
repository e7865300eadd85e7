import type { Duplex, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { messageOf } from '../lib/fault.ts';
import type { PortForwardWish, Sessions } from '../lib/streams.ts';
import { quiet } from './half-streams.ts';

export interface Forwarding {
  readonly sessions: Pick<Sessions, 'dial'>;
  readonly log: Logger;
  readonly wish: PortForwardWish;
  readonly signal: AbortSignal;
}

/** The client's end of one forwarded connection. */
export interface RemoteEnd {
  readonly readable: Readable;
  readonly writable: Writable;
}

/**
 * Connects to a port in the pod and copies both ways until both sides have ended. Returns what to tell
 * the client if there was no connection, and else null: what breaks later is passed on as a reset.
 */
export async function forwardPort(
  { sessions, log, wish, signal }: Forwarding,
  port: number,
  remote: RemoteEnd,
): Promise<string | null> {
  let target: Duplex;
  try {
    target = await sessions.dial(wish, port, signal);
  } catch (err) {
    log.debug({ err, sandboxId: wish.sandboxId, port }, 'port not reached');
    return `error forwarding port ${port} to pod ${wish.sandboxId}: ${messageOf(err)}`;
  }
  quiet(target);
  const results = await Promise.allSettled([
    pipeline(remote.readable, target),
    pipeline(target, remote.writable),
  ]);
  for (const result of results) {
    if (result.status === 'rejected') log.debug({ err: result.reason, port }, 'forwarded connection broke');
  }
  return null;
}

/** Null for what is no TCP port in decimal. */
export function parsePort(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,5}$/.test(text)) return null;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : null;
}
