import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import { acceptWebSocket } from './accept-websocket.ts';
import { quiet } from './half-streams.ts';
import { TUNNEL_PROTOCOL } from './negotiate.ts';
import type { SessionScope, Wish } from './session.ts';
import { runCommand } from './session.ts';
import { openSpdyCommand } from './spdy-command.ts';
import { runSpdyPortForward } from './spdy-port-forward.ts';
import { Channels } from './websocket-channels.ts';
import { openWebSocketCommand } from './websocket-command.ts';
import { runWebSocketPortForward } from './websocket-port-forward.ts';

/** A request that may have its session: its token was good, and a protocol was found. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came with the request. */
  readonly head: Buffer;
  readonly transport: 'spdy' | 'websocket';
  /** Empty when a WebSocket client asked for none. */
  readonly protocol: string;
}

/** Answers the upgrade and serves the session until it has ended. */
export async function serveSession(scope: SessionScope, wish: Wish, upgrade: Upgrade): Promise<void> {
  if (upgrade.transport === 'spdy') await serveOverSpdy(scope, wish, upgrade);
  else await serveOverWebSocket(scope, wish, upgrade);
}

async function serveOverSpdy(scope: SessionScope, wish: Wish, upgrade: Upgrade): Promise<void> {
  const { socket, head, protocol } = upgrade;
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    `X-Stream-Protocol-Version: ${protocol}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (wish.kind === 'portforward') {
    await runSpdyPortForward(scope, wish.wish, { socket, head });
    return;
  }
  const carrier = await openSpdyCommand(scope, { socket, head, protocol }, wish.wish);
  await runCommand(scope, wish, carrier);
}

async function serveOverWebSocket(scope: SessionScope, wish: Wish, upgrade: Upgrade): Promise<void> {
  const { protocol } = upgrade;
  await acceptWebSocket(upgrade.request, upgrade, async (ws) => {
    if (wish.kind !== 'portforward') {
      const channels = new Channels(ws, { ...scope, protocol });
      await runCommand(scope, wish, openWebSocketCommand(channels, protocol, wish.wish));
    } else if (protocol === TUNNEL_PROTOCOL) {
      const socket = quiet(createWebSocketStream(ws));
      await runSpdyPortForward(scope, wish.wish, { socket, head: Buffer.alloc(0) });
    } else {
      await runWebSocketPortForward(scope, wish.wish, new Channels(ws, { ...scope, protocol }));
    }
  });
}
