import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';

/** As much as Kubernetes' servers take: some clients send a whole file to stdin as one message. */
const MAX_MESSAGE = 32 * 1024 * 1024;

/**
 * Answers the upgrade with the sub-protocol that was chosen, or with none if it is empty, and serves the
 * connection. Resolves when that is over, or at once if the handshake was malformed: the client was told.
 */
export async function acceptWebSocket(
  request: IncomingMessage,
  { socket, head, protocol }: { socket: Duplex; head: Buffer; protocol: string },
  serve: (ws: WebSocket) => Promise<void>,
): Promise<void> {
  // The names are chosen here and not by `ws`, which refuses the slash in SPDY/3.1+portforward.k8s.io.
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE,
  });
  if (protocol !== '') {
    server.once('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('close', () => resolve());
  server.handleUpgrade(request, socket, head, (ws) => {
    // At once, not after an await: what came with the request is told in this very turn.
    resolve(serve(ws));
  });
  await promise;
}
