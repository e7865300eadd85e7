import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Tasks } from '../containerd/tasks.ts';
import { exists } from '../host/files.ts';
import { Fault } from '../lib/fault.ts';
import { container, taskNeeds } from './fixtures.ts';
import type { RemoveNeeds } from './remove.ts';
import { removeContainer } from './remove.ts';
import { releaseTask } from './task.ts';

const signal = new AbortController().signal;
const gone = () => Promise.reject(new Fault('not_found', 'no such task'));
const deleted = { pid: 42, exitStatus: 0, exitedAt: 5n };

/** An exited container, and what was done with it in order. */
function world(tasks: Partial<Tasks>, removeSnapshot: () => Promise<boolean> = async () => true) {
  const done: string[] = [];
  const noted =
    <T>(name: string, act: () => Promise<T>) =>
    () => {
      done.push(name);
      return act();
    };
  const base = taskNeeds({
    kill: noted('kill', gone),
    delete: noted('delete task', tasks.delete ? () => tasks.delete?.('c1') ?? gone() : async () => null),
  });
  Object.assign(base.containers, { deleteRecord: noted('delete record', async () => {}) });
  Object.assign(base.containerd, {
    snapshots: { remove: noted('remove snapshot', removeSnapshot) },
    containers: { get: async () => ({}) },
  });
  const needs: RemoveNeeds & AsyncDisposable = { ...base, lease: 'making' };
  needs.containers.put(container({ state: 'exited', pid: 0, cgroupsPath: '' }));
  return { needs, done };
}

const remove = async (needs: RemoveNeeds) =>
  await removeContainer(needs, container({ cgroupsPath: '' }), signal);

test('a task that was seen to be deleted is not asked for again', async () => {
  const { needs, done } = world({ delete: async () => deleted });
  await using _dir = needs;
  await releaseTask(needs, 'c1', signal);
  await remove(needs);
  expect(done).toEqual(['delete task', 'delete record', 'remove snapshot']);
  expect(needs.containers.get('c1')).toBeNull();
  expect(needs.released.size).toBe(0);
});

test('what an exec made again as the container exited goes too', async () => {
  const { needs } = world({ delete: async () => deleted });
  await using _dir = needs;
  await releaseTask(needs, 'c1', signal);
  const dir = needs.paths.containerState('c1');
  mkdirSync(`${dir}/exec/e1`, { recursive: true });
  await remove(needs);
  expect(await exists(dir)).toBe(false);
});

test('one that containerd did not find when it was to be deleted may still be there', async () => {
  const { needs, done } = world({ delete: async () => null });
  await using _dir = needs;
  await releaseTask(needs, 'c1', signal);
  await remove(needs);
  expect(done).toEqual(['delete task', 'kill', 'delete task', 'delete record', 'remove snapshot']);
});

test('what failed half-way is tried again, and until then the status file says so', async () => {
  let fails = true;
  const { needs, done } = world({ delete: async () => deleted }, async () => {
    if (fails) throw new Fault('unavailable', 'containerd restarts');
    return true;
  });
  await using _dir = needs;
  await releaseTask(needs, 'c1', signal);
  done.length = 0;
  await expect(remove(needs)).rejects.toThrow('containerd restarts');
  expect(done).toEqual(['delete record', 'remove snapshot']);
  expect(await needs.containers.readStatus('c1')).toMatchObject({ state: 'removing' });
  fails = false;
  await remove(needs);
  expect(needs.containers.get('c1')).toBeNull();
  expect(await exists(`${needs.paths.containerRoots}/c1`)).toBe(false);
});
