import { expect, test } from 'vitest';
import type { SessionKind } from './negotiate.ts';
import { negotiate, TUNNEL_PROTOCOL } from './negotiate.ts';

const spdy = (versions?: string | string[]) => ({
  upgrade: 'SPDY/3.1',
  'x-stream-protocol-version': versions,
});
const ws = (protocols?: string) => ({ upgrade: 'websocket', 'sec-websocket-protocol': protocols });

test.each<[SessionKind, object, string, string]>([
  ['exec', spdy('v4.channel.k8s.io'), 'spdy', 'v4.channel.k8s.io'],
  ['exec', spdy('v5.channel.k8s.io, v4.channel.k8s.io,v3.channel.k8s.io'), 'spdy', 'v4.channel.k8s.io'],
  ['attach', spdy(['v9.channel.k8s.io', 'v3.channel.k8s.io']), 'spdy', 'v3.channel.k8s.io'],
  ['attach', spdy('v2.channel.k8s.io,v4.channel.k8s.io'), 'spdy', 'v2.channel.k8s.io'],
  ['exec', spdy('channel.k8s.io'), 'spdy', 'channel.k8s.io'],
  ['portforward', spdy('portforward.k8s.io'), 'spdy', 'portforward.k8s.io'],
  ['exec', ws('v5.channel.k8s.io'), 'websocket', 'v5.channel.k8s.io'],
  ['exec', ws('base64.channel.k8s.io, v4.channel.k8s.io'), 'websocket', 'base64.channel.k8s.io'],
  ['attach', ws('v4.base64.channel.k8s.io'), 'websocket', 'v4.base64.channel.k8s.io'],
  ['attach', { ...ws(), upgrade: 'WebSocket' }, 'websocket', ''],
  ['portforward', ws(TUNNEL_PROTOCOL), 'websocket', TUNNEL_PROTOCOL],
  ['portforward', ws('v4.channel.k8s.io'), 'websocket', 'v4.channel.k8s.io'],
])('%s with %j is %s %j', (kind, headers, transport, protocol) => {
  expect(negotiate(kind, { ...headers })).toEqual({ transport, protocol });
});

test.each<[SessionKind, object, number]>([
  ['exec', {}, 400],
  ['exec', { upgrade: 'h2c' }, 400],
  ['exec', { upgrade: 'SPDY/3' }, 400],
  ['exec', spdy(), 400],
  ['exec', spdy(' , '), 400],
  ['exec', spdy('portforward.k8s.io'), 403],
  ['exec', spdy('v6.channel.k8s.io'), 403],
  ['exec', ws('v6.channel.k8s.io'), 403],
  ['exec', ws(TUNNEL_PROTOCOL), 403],
  ['portforward', spdy('v4.channel.k8s.io'), 403],
  ['portforward', ws('v5.channel.k8s.io'), 403],
])('%s with %j is refused with %i', (kind, headers, status) => {
  expect(negotiate(kind, { ...headers })).toMatchObject({ transport: null, status });
});

test('a refusal names what is served', () => {
  expect(negotiate('exec', spdy('v6.channel.k8s.io'))).toMatchObject({
    accepted: ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'],
    message: expect.stringContaining('asked for v6.channel.k8s.io; served are v4.channel.k8s.io, '),
  });
});
