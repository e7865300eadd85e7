import { expect, test } from 'vitest';
import type { ProcessRef } from '../containerd/tasks.ts';
import { Fault } from '../lib/fault.ts';
import { SIGKILL } from '../spec/signal.ts';
import { container, taskNeeds } from './fixtures.ts';
import { stopContainer } from './stop.ts';
import type { TaskNeeds } from './task.ts';
import { recordExit } from './task.ts';

const SIGTERM = 15;

const patient = new AbortController().signal;
const at = (exitCode: number) => ({ exitCode, exitedAt: 5n });

/** Tasks that note the signals they get; `exitOn` ends the container as an event would. */
function world(exitOn: number, refuse: (signal: number) => void = () => {}) {
  const signals: number[] = [];
  const needs: TaskNeeds & AsyncDisposable = taskNeeds({
    kill: async ({ signal }: ProcessRef & { signal: number }) => {
      signals.push(signal);
      refuse(signal);
      if (signal === exitOn) setImmediate(() => void recordExit(needs, 'c1', at(128 + signal)));
    },
    get: async () => ({
      id: 'c1',
      execId: '',
      pid: 42,
      status: 'running',
      exitStatus: 0,
      exitedAt: 0n,
    }),
  });
  needs.containers.put(container());
  return { needs, signals };
}

test('a container that ends by its stop signal is not killed', async () => {
  const { needs, signals } = world(SIGTERM);
  await using _dir = needs;
  await stopContainer(needs, container(), 60_000, patient);
  expect(signals).toEqual([SIGTERM]);
  expect(needs.containers.get('c1')).toMatchObject({
    state: 'exited',
    exitCode: 143,
    finishedAt: 5n,
    pid: 0,
  });
  expect(needs.stopping.size).toBe(0);
});

test('when the grace period is over it is killed, without one at once', async () => {
  const { needs, signals } = world(SIGKILL);
  await using _dir = needs;
  await stopContainer(needs, container(), 10, patient);
  expect(signals).toEqual([SIGTERM, SIGKILL]);
  needs.containers.put(container());
  await stopContainer(needs, container(), 0, patient);
  expect(signals).toEqual([SIGTERM, SIGKILL, SIGKILL]);
});

test('a repeated call does not send the stop signal again', async () => {
  const { needs, signals } = world(SIGKILL);
  await using _dir = needs;
  await expect(stopContainer(needs, container(), 60_000, AbortSignal.timeout(10))).rejects.toThrow();
  await stopContainer(needs, container(), 10, patient);
  expect(signals).toEqual([SIGTERM, SIGKILL]);
});

test('a stop signal that did not get through is sent by the next call', async () => {
  let away = true;
  const { needs, signals } = world(SIGTERM, () => {
    if (away) throw new Fault('unavailable', 'containerd restarts');
  });
  await using _dir = needs;
  await expect(stopContainer(needs, container(), 60_000, patient)).rejects.toThrow('containerd restarts');
  away = false;
  await stopContainer(needs, container(), 60_000, patient);
  expect(signals).toEqual([SIGTERM, SIGTERM]);
});

test('an exit whose event was lost is found by asking', async () => {
  const { needs } = world(0);
  await using _dir = needs;
  Object.assign(needs.containerd.tasks, { get: () => Promise.reject(new Fault('not_found', 'no task')) });
  await stopContainer(needs, container(), 0, patient);
  expect(needs.containers.get('c1')).toMatchObject({ state: 'exited', exitCode: 255, reason: 'Unknown' });
});

test('a start that is under way is waited for, and then stopped', async () => {
  const { needs, signals } = world(SIGTERM);
  await using _dir = needs;
  needs.containers.put(container({ state: 'created', pid: 0 }));
  const starting = await needs.locks.take('container/c1');
  const stop = stopContainer(needs, container({ state: 'created', pid: 0 }), 60_000, patient);
  needs.containers.put(container());
  starting[Symbol.dispose]();
  await stop;
  expect(signals).toEqual([SIGTERM]);
});

/** Processes that are held here: `ends` says which signals end the container. */
function held(needs: TaskNeeds & AsyncDisposable, ends: (signal: number) => boolean) {
  const sent: number[] = [];
  const signal = async (id: string, number: number) => {
    sent.push(number);
    if (ends(number)) setImmediate(() => void recordExit(needs, id, at(128 + number)));
    return true;
  };
  const inits = { signal, kill: (id: string) => signal(id, SIGKILL), release: () => {} };
  Object.assign(needs, { inits });
  return sent;
}

test('a process that is held is signalled without containerd', async () => {
  const { needs, signals } = world(0);
  await using _dir = needs;
  const sent = held(needs, (signal) => signal === SIGKILL);
  await stopContainer(needs, container(), 10, patient);
  expect(sent).toEqual([SIGTERM, SIGKILL]);
  expect(signals).toEqual([]);
  expect(needs.containers.get('c1')).toMatchObject({ state: 'exited', exitCode: 137 });
});

test('one that is still there after it was killed is killed by containerd', async () => {
  const { needs, signals } = world(SIGKILL);
  await using _dir = needs;
  const sent = held(needs, () => false);
  await stopContainer(needs, container(), 0, patient);
  expect(sent).toEqual([SIGKILL]);
  expect(signals).toEqual([SIGKILL]);
});
