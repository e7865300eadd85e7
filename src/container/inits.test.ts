import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { defaultRuntimeHandler } from '../config/schema.ts';
import { Inits, isPlain } from './inits.ts';

const log = pino({ level: 'silent' });
/** What stands for a container's id in the cgroups of our children. */
const id = readFileSync('/proc/self/cgroup', 'latin1').split('\n')[0] ?? '';
const container = { id, runtimeHandler: 'runc' };

function sleeper() {
  const child = spawn('sleep', ['3600'], { stdio: 'ignore' });
  return { child, pid: child.pid ?? 0, ended: once(child, 'exit') };
}
const openFds = () => readdirSync('/proc/self/fd').length;

test.each([
  [{}, true],
  [{ binary: '/opt/bin/runc' }, true],
  [{ options: { BinaryName: 'crun' } }, true],
  [{ binary: '/usr/bin/kata-runtime' }, false],
  [{ options: { BinaryName: '/usr/local/bin/runsc' } }, false],
  [{ type: 'io.containerd.kata.v2' }, false],
  [{ type: 'io.containerd.runsc.v1' }, false],
])('a runtime handler of %j: the pid is the process %s', (change, expected) => {
  expect(isPlain({ ...defaultRuntimeHandler(), ...change })).toBe(expected);
});

test('a held process is signalled here; what is not held, or shares its pids, is left to containerd', async () => {
  const { pid, ended } = sleeper();
  using inits = new Inits((handler) => handler === 'runc', log);
  expect(inits.hold({ ...container, runtimeHandler: 'kata' }, pid)).toBe(false);
  expect(inits.hold(container, 0)).toBe(false);
  expect(await inits.signal(id, 15)).toBe(false);
  expect(inits.hold(container, pid)).toBe(true);
  expect(await inits.kill(id)).toBe(false);
  expect(await inits.signal(id, 15)).toBe(true);
  expect(await ended).toEqual([null, 'SIGTERM']);
  expect(await inits.signal(id, 15)).toBe(true);
});

test('no descriptor is left of processes that were held again, let go, or held to the end', async () => {
  const { child, pid, ended } = sleeper();
  const before = openFds();
  {
    using inits = new Inits(() => true, log);
    inits.hold(container, pid);
    inits.hold(container, pid);
    expect(openFds()).toBe(before + 1);
    inits.release(id);
    inits.release(id);
    expect(openFds()).toBe(before);
    inits.hold(container, pid);
  }
  expect(openFds()).toBe(before);
  child.kill('SIGKILL');
  await ended;
});
