import { expect, test } from 'vitest';
import type { Task } from '../containerd/tasks.ts';
import type { ContainerState } from '../store/containers.ts';
import { reconcile } from './reconcile.ts';

test.each<[ContainerState, Task['status'] | 'no task', string]>([
  ['creating', 'no task', 'undo-create'],
  ['creating', 'running', 'undo-create'],
  ['created', 'no task', 'keep'],
  ['created', 'created', 'undo-start'],
  ['created', 'running', 'watch'],
  ['created', 'stopped', 'mark-exited'],
  ['running', 'no task', 'mark-exited'],
  ['running', 'created', 'undo-start'],
  ['running', 'running', 'watch'],
  ['running', 'paused', 'watch'],
  ['running', 'stopped', 'mark-exited'],
  ['running', 'unknown', 'watch'],
  ['exited', 'no task', 'keep'],
  ['exited', 'stopped', 'delete-task'],
  ['exited', 'running', 'delete-task'],
  ['removing', 'no task', 'finish-removal'],
  ['removing', 'running', 'finish-removal'],
  ['unknown', 'running', 'watch'],
  ['unknown', 'no task', 'mark-exited'],
])('recorded %s, containerd has %s: %s', (recorded, status, action) => {
  const task = status === 'no task' ? null : { status, pid: 7, exitStatus: 3, exitedAt: 9n };
  expect(reconcile(recorded, task)).toMatchObject({ action });
});

test('exit code and pid come from the task', () => {
  const task = { pid: 7, exitStatus: 3, exitedAt: 9n };
  expect(reconcile('running', { ...task, status: 'stopped' })).toEqual({
    action: 'mark-exited',
    exit: { exitCode: 3, exitedAt: 9n },
  });
  expect(reconcile('running', { ...task, status: 'running' })).toEqual({ action: 'watch', pid: 7 });
  expect(reconcile('running', null)).toEqual({ action: 'mark-exited', exit: null });
});
