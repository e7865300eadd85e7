import { expect, test } from 'vitest';
import { container, taskNeeds } from '../container/fixtures.ts';
import type { Task, TaskStatus } from '../containerd/tasks.ts';
import { Fault } from '../lib/fault.ts';
import { giveUp, sweep } from './follow-events.ts';

const task = (status: TaskStatus): Task => ({
  id: 'c1',
  execId: '',
  pid: 42,
  status,
  exitStatus: 3,
  exitedAt: status === 'stopped' ? 9n : 0n,
});

const patient = new AbortController().signal;

test.each<[string, TaskStatus, object]>([
  ['one that runs is left alone', 'running', { state: 'running' }],
  ['a lost exit is found', 'stopped', { state: 'exited', exitCode: 3, finishedAt: 9n, reason: 'Error' }],
  ['a shim that does not answer is not an exit', 'unknown', { state: 'running' }],
])('sweep: %s', async (_name, status, expected) => {
  await using needs = taskNeeds({ list: async () => [task(status)] });
  needs.containers.put(container());
  const sandboxes = { get: () => null, list: () => [] };
  await sweep({ ...needs, sandboxes } as never, patient);
  expect(needs.containers.get('c1')).toMatchObject(expected);
});

test.each<[string, Task | 'not_found' | 'unavailable', object]>([
  ['is over when it is really gone', 'not_found', { state: 'exited', exitCode: 255, reason: 'Unknown' }],
  ['goes on when its shim does not answer', 'unavailable', { state: 'running' }],
  ['goes on when it is there at the second look', task('running'), { state: 'running' }],
])('a container that no list showed %s', async (_name, look, expected) => {
  await using needs = taskNeeds({
    get: async () => {
      if (typeof look === 'string') throw new Fault(look, 'no');
      return look;
    },
  });
  needs.containers.put(container());
  await giveUp(needs, ['c1', 'forgotten'], patient);
  expect(needs.containers.get('c1')).toMatchObject(expected);
});
