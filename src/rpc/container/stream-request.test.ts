import { expect, test } from 'vitest';
import type { AttachWish, ExecWish, PortForwardWish } from '../../lib/streams.ts';
import type { Container, ContainerState } from '../../store/containers.ts';
import { IndexById } from '../../store/index-by-id.ts';
import type { Sandbox, SandboxState } from '../../store/sandboxes.ts';
import { portForward } from '../sandbox/port-forward.ts';
import type { Services } from '../services.ts';
import { attach } from './attach.ts';
import { exec } from './exec.ts';

/** Remembers the wishes, and answers with a URL of its own. */
function needs(state: ContainerState | SandboxState) {
  const wishes: (ExecWish | AttachWish | PortForwardWish)[] = [];
  const give = (url: string) => (wish: (typeof wishes)[number]) => {
    wishes.push(wish);
    return url;
  };
  const containers = new IndexById<Container>('container');
  containers.put({ id: 'abc123', name: 'one', state } as Container);
  const sandboxes = new IndexById<Sandbox>('pod sandbox');
  sandboxes.put({ id: 'def456', name: 'pod', state } as Sandbox);
  return {
    wishes,
    containers: containers as Services['containers'],
    sandboxes: sandboxes as Services['sandboxes'],
    streaming: { execUrl: give('exec'), attachUrl: give('attach'), portForwardUrl: give('port') },
  };
}

const outputs = { tty: false, stdin: false, stdout: true, stderr: true };

test('a wish has the full id and just the streams that were asked for', () => {
  const all = needs('running');
  expect(exec(all, { containerId: 'abc', cmd: ['ls', '/'], ...outputs })).toEqual({ url: 'exec' });
  expect(attach(all, { containerId: 'abc1', ...outputs, stderr: false, tty: true })).toEqual({
    url: 'attach',
  });
  const ready = needs('ready');
  expect(portForward(ready, { podSandboxId: 'd', port: [80] })).toEqual({ url: 'port' });
  expect([...all.wishes, ...ready.wishes]).toEqual([
    { containerId: 'abc123', cmd: ['ls', '/'], ...outputs },
    { containerId: 'abc123', ...outputs, stderr: false, tty: true },
    { sandboxId: 'def456', ports: [80] },
  ]);
});

test.each<[string, object, string]>([
  ['tty with stderr', { tty: true }, 'invalid_argument'],
  ['no stream', { stdout: false, stderr: false }, 'invalid_argument'],
  ['no command', { cmd: [] }, 'invalid_argument'],
  ['no id', { containerId: '' }, 'invalid_argument'],
  ['an unknown id', { containerId: 'zzz' }, 'not_found'],
])('exec is refused: %s', (_name, change, code) => {
  const all = needs('running');
  const request = { containerId: 'abc', cmd: ['ls'], ...outputs, ...change };
  expect(() => exec(all, request)).toThrow(expect.objectContaining({ code }));
  if (!('cmd' in change)) expect(() => attach(all, request)).toThrow(expect.objectContaining({ code }));
  expect(all.wishes).toEqual([]);
});

test.each<ContainerState>(['creating', 'created', 'exited', 'removing', 'unknown'])(
  'a container that is %s has no sessions',
  (state) => {
    const all = needs(state);
    const refused = expect.objectContaining({
      code: 'failed_precondition',
      message: `container "abc123" is ${state}, not running`,
    });
    expect(() => exec(all, { containerId: 'abc', cmd: ['ls'], ...outputs })).toThrow(refused);
    expect(() => attach(all, { containerId: 'abc', ...outputs })).toThrow(refused);
  },
);

test.each<[string, SandboxState, object, string]>([
  ['not ready', 'notready', {}, 'failed_precondition'],
  ['unknown', 'ready', { podSandboxId: 'zzz' }, 'not_found'],
  ['without id', 'ready', { podSandboxId: '' }, 'invalid_argument'],
  ['with port 0', 'ready', { port: [80, 0] }, 'invalid_argument'],
  ['with port 65536', 'ready', { port: [65_536] }, 'invalid_argument'],
])('no ports of a sandbox are forwarded: %s', (_name, state, change, code) => {
  const all = needs(state);
  const request = { podSandboxId: 'def', port: [], ...change };
  expect(() => portForward(all, request)).toThrow(expect.objectContaining({ code }));
  expect(all.wishes).toEqual([]);
});
