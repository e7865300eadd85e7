import type { PortForwardWish } from '../lib/streams.ts';
import type { Forwarding } from './forward.ts';
import { forwardPort } from './forward.ts';
import type { SessionScope } from './session.ts';
import type { Channels } from './websocket-channels.ts';

/** Two channels a port, and in base64 a channel's number is one ASCII character from "0" on. */
const MAX_PORTS = 39;

/** Why there can be no such session, or null. */
export function refusePorts(ports: readonly number[]): string | null {
  if (ports.length >= 1 && ports.length <= MAX_PORTS) return null;
  return `this protocol needs 1 to ${MAX_PORTS} ports in the PortForward request, which had ${ports.length}`;
}

/**
 * The older port-forward over WebSocket, for the ports of the request: the nth has channel 2n for data
 * and 2n+1 for what went wrong, and each begins with the port in two bytes, the lower one first. The
 * protocol has no half-close: a port is done when the pod's side is.
 */
export async function runWebSocketPortForward(
  scope: SessionScope,
  wish: PortForwardWish,
  channels: Channels,
): Promise<void> {
  const gone = new AbortController();
  void channels.closed.then(() => gone.abort());
  const forwarding: Forwarding = { ...scope, wish, signal: AbortSignal.any([gone.signal, scope.stopping]) };
  const stop = (): void => void channels.close();
  scope.stopping.addEventListener('abort', stop);
  await Promise.allSettled(wish.ports.map((port, n) => forwardChannel(forwarding, port, { channels, n })));
  scope.stopping.removeEventListener('abort', stop);
  await channels.close();
}

async function forwardChannel(
  forwarding: Forwarding,
  port: number,
  { channels, n }: { channels: Channels; n: number },
): Promise<void> {
  const number = Buffer.alloc(2);
  number.writeUInt16LE(port);
  const readable = channels.source(2 * n);
  const writable = channels.sink(2 * n);
  await channels.send(2 * n, number);
  await channels.send(2 * n + 1, number);
  writable.once('finish', () => readable.destroy());
  const problem = await forwardPort(forwarding, port, { readable, writable });
  readable.destroy();
  if (problem !== null) await channels.send(2 * n + 1, Buffer.from(problem));
}
