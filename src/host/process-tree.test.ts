import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { isAlive, killTree, parentOf } from './process-tree.ts';

const alive = (pid: number) => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

test('kills the process, its children and theirs', async () => {
  const child = spawn('sh', ['-c', 'sh -c "sleep 300 & echo \\$!; wait" & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.trim().split('\n').length === 2) break;
  }
  const pids = [child.pid ?? 0, ...text.trim().split('\n').map(Number)];
  expect(pids.map(alive)).toEqual([true, true, true]);
  await killTree(pids[0] ?? 0);
  await exited;
  for (let i = 0; i < 50 && pids.some(alive); i++) await sleep(20);
  expect(pids.map(alive)).toEqual([false, false, false]);
});

test('a process that is gone is fine', async () => {
  const child = spawn('true');
  await new Promise((resolve) => child.once('exit', resolve));
  await expect(killTree(child.pid ?? 0)).resolves.toBeUndefined();
});

test.each([0, -1, Number.NaN])('%d is no process, and whole groups are spared', async (pid) => {
  await expect(killTree(pid)).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('a process has a parent until it is gone', async () => {
  const child = spawn('sh', ['-c', 'echo ") Z 1 " > /proc/$$/comm; sleep 300'], { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  expect(await parentOf(child.pid ?? 0)).toBe(process.pid);
  await killTree(child.pid ?? 0);
  await exited;
  expect(await parentOf(child.pid ?? 0)).toBeNull();
});

test('a process is alive until it was waited for', async () => {
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  expect(isAlive(child.pid ?? 0)).toBe(true);
  child.kill('SIGKILL');
  await exited;
  expect([child.pid ?? 0, 0, -1, Number.NaN].map(isAlive)).toEqual([false, false, false, false]);
});
