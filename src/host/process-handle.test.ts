import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isFirst, ProcessHandle } from './process-handle.ts';

/** A line of what /proc says of the cgroups of this process, which are its children's too. */
const ourCgroup = readFileSync('/proc/self/cgroup', 'latin1').split('\n')[0] ?? '';
const openFds = () => readdirSync('/proc/self/fd').length;

function sleeper() {
  const child = spawn('sleep', ['3600'], { stdio: 'ignore' });
  return { child, pid: child.pid ?? 0, ended: once(child, 'exit') };
}

test('a held process gets signals for as long as it is there, and no other gets them after', async () => {
  const { pid, ended } = sleeper();
  using handle = ProcessHandle.open(pid, ourCgroup);
  expect(handle?.signal(0)).toBe(true);
  expect(handle?.signal(15)).toBe(true);
  expect(await ended).toEqual([null, 'SIGTERM']);
  expect(handle?.signal(15)).toBe(false);
});

test('a process of another cgroup is not the one that is meant, and neither is one that is gone', async () => {
  const { child, pid, ended } = sleeper();
  expect(ProcessHandle.open(pid, 'no-such-container')).toBeNull();
  child.kill('SIGKILL');
  await ended;
  expect(ProcessHandle.open(pid, ourCgroup)).toBeNull();
});

test('letting go closes the descriptor once, and ends all signalling', async () => {
  const { child, pid, ended } = sleeper();
  const before = openFds();
  const handle = ProcessHandle.open(pid, ourCgroup);
  expect(openFds()).toBe(before + 1);
  handle?.[Symbol.dispose]();
  handle?.[Symbol.dispose]();
  expect(openFds()).toBe(before);
  expect(handle?.signal(9)).toBe(false);
  ProcessHandle.open(pid, 'no-such-container');
  expect(openFds()).toBe(before);
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
});

test.each([
  ['NSpid:\t4711\t1\n', true],
  ['Name:\tx\nNSpid:\t4711\t20\t1\nNSsid:\t1\t1\t1\n', true],
  ['NSpid:\t1\n', false],
  ['NSpid:\t4711\n', false],
  ['NSpid:\t4711\t12\n', false],
  ['Name:\told kernel\n', false],
])('%j: first of a pid namespace %s', (status, expected) => {
  expect(isFirst(status)).toBe(expected);
});
