/** What the session of a request will be spoken in, or why there is none. */
export type Negotiated =
  | { transport: 'spdy' | 'websocket' /** Empty when a WebSocket client asked for none. */; protocol: string }
  | { transport: null; status: 400 | 403; message: string; accepted: readonly string[] };

export type SessionKind = 'exec' | 'attach' | 'portforward';

/** Header names are in lower case, and repeated headers joined by commas, as node:http has them. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The names of the WebSocket sub-protocol that carries SPDY. */
export const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

/** Version 5 differs from 4 only in WebSocket's signal for the end of a channel. */
const SPDY_COMMAND = ['v4', 'v3', 'v2']
  .map((version) => `${version}.channel.k8s.io`)
  .concat('channel.k8s.io');
const SPDY_PORT_FORWARD = ['portforward.k8s.io'];

const BASE64 = ['v4.base64.channel.k8s.io', 'base64.channel.k8s.io'];
const WEBSOCKET_COMMAND = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io', ...BASE64];
const WEBSOCKET_PORT_FORWARD = [
  TUNNEL_PROTOCOL,
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'portforward.k8s.io',
];

/** Takes the first of the client's choice that is served, as Kubernetes' own servers do. */
export function negotiate(kind: SessionKind, headers: RequestHeaders): Negotiated {
  const forwards = kind === 'portforward';
  const upgrades = listOf(headers['upgrade']).map((name) => name.toLowerCase());
  if (upgrades.includes('websocket')) {
    const offered = listOf(headers['sec-websocket-protocol']);
    // A client may leave it open. It is understood as the oldest binary protocol.
    if (offered.length === 0) return { transport: 'websocket', protocol: '' };
    return choose('websocket', offered, forwards ? WEBSOCKET_PORT_FORWARD : WEBSOCKET_COMMAND);
  }
  if (!upgrades.includes('spdy/3.1')) {
    return refuse(400, 'this is a streaming endpoint: upgrade to SPDY/3.1 or websocket', []);
  }
  const offered = listOf(headers['x-stream-protocol-version']);
  if (offered.length === 0) return refuse(400, 'the header X-Stream-Protocol-Version is required', []);
  return choose('spdy', offered, forwards ? SPDY_PORT_FORWARD : SPDY_COMMAND);
}

/** Whether streams are numbered channels of one WebSocket. */
export function isChannelProtocol({ transport, protocol }: { transport: string; protocol: string }): boolean {
  return transport === 'websocket' && protocol !== TUNNEL_PROTOCOL;
}

function choose(
  transport: 'spdy' | 'websocket',
  offered: readonly string[],
  supported: readonly string[],
): Negotiated {
  const protocol = offered.find((name) => supported.includes(name));
  if (protocol !== undefined) return { transport, protocol };
  const message = `no protocol in common: asked for ${offered.join(', ')}; served are ${supported.join(', ')}`;
  return refuse(403, message, supported);
}

function refuse(status: 400 | 403, message: string, accepted: readonly string[]): Negotiated {
  return { transport: null, status, message, accepted };
}

function listOf(header: string | string[] | undefined): string[] {
  return [header ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
