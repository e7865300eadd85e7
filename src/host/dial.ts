import { Socket } from 'node:net';

import { Fault, messageOf } from '../lib/fault.ts';
import type { NamespaceThread } from './namespaces.ts';
import { close } from './syscalls.ts';

/** On a loopback device a connection is made at once, or its listener's queue is full. */
const CONNECT_MS = 10_000;

const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;

/** Where to connect to. */
export interface DialTarget {
  /** Path of the network namespace; null means the one that we are in. */
  readonly netns: string | null;
  readonly port: number;
}

/**
 * Connects to a port on the loopback address of a network namespace, by IPv4 and else by IPv6. The
 * socket may be half open. When the signal fires, before or after, it is destroyed.
 * @throws Fault `unavailable` when nobody answers at the port; the message names it.
 */
export async function dial(
  thread: Pick<NamespaceThread, 'openSocket'>,
  { netns, port }: DialTarget,
  signal: AbortSignal,
): Promise<Socket> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Fault('invalid_argument', `port ${port} is not between 1 and 65535`);
  }
  const failures: string[] = [];
  for (const family of [4, 6] as const) {
    signal.throwIfAborted();
    try {
      const socket = await openSocket(thread, { netns, family }, signal);
      return await connected(socket, LOOPBACK[family], port);
    } catch (error) {
      if (signal.aborted)
        throw new Fault('cancelled', `connect to port ${port}: cancelled`, { cause: error });
      failures.push(messageOf(error));
    }
  }
  throw new Fault('unavailable', `connect to port ${port}: ${failures.join('; ')}`);
}

async function openSocket(
  thread: Pick<NamespaceThread, 'openSocket'>,
  { netns, family }: { netns: string | null; family: 4 | 6 },
  signal: AbortSignal,
): Promise<Socket> {
  if (netns === null) return new Socket({ allowHalfOpen: true, signal });
  const fd = await thread.openSocket(netns, family);
  try {
    signal.throwIfAborted();
    return new Socket({ fd, allowHalfOpen: true, signal }); // it owns the descriptor from here
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Node connects the descriptor that a socket was given, where it was given one. */
async function connected(socket: Socket, host: string, port: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => {
    socket.destroy(new Error(`${host} did not answer within ${CONNECT_MS} ms`));
  }, CONNECT_MS);
  // This listener stays: between us and the caller's own, a reset must not become an uncaught error.
  socket.on('error', reject);
  socket.once('connect', resolve);
  socket.connect({ host, port });
  try {
    await promise;
    return socket;
  } finally {
    clearTimeout(late);
  }
}
