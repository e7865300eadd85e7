/** A container's surroundings with nothing real in them but its status file, for the tests of stopping and sweeping. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Tasks } from '../containerd/tasks.ts';
import { removeTree } from '../host/files.ts';
import { newId } from '../lib/id.ts';
import { KeyedLock } from '../lib/keyed-lock.ts';
import { containerConfig } from '../spec/fixtures.ts';
import type { Container } from '../store/containers.ts';
import { createContainerStore, NEW_STATUS } from '../store/containers.ts';
import { createPaths } from '../store/paths.ts';
import { Inits } from './inits.ts';
import { StdinKeeper } from './stdin.ts';
import type { TaskNeeds } from './task.ts';
import { ExitWaiters } from './waiters.ts';

export function container(over: Partial<Container> = {}): Container {
  return {
    ...NEW_STATUS,
    id: 'c1',
    name: 'app_pod1_0',
    sandboxId: 'pod1',
    config: containerConfig(),
    runtimeHandler: 'runc',
    imageId: 'sha256:aa',
    imageRef: 'app@sha256:bb',
    volumeRefs: {},
    logPath: '',
    stopSignal: 'SIGNAL_SIGTERM',
    user: null,
    snapshotter: 'overlayfs',
    cgroupsPath: '/cristal-test-none/c1',
    createdAt: 1n,
    state: 'running',
    pid: 42,
    ...over,
  };
}

/** Dispose it to remove the directory. What a test does not give of `tasks` fails the test when called. */
export function taskNeeds(tasks: Partial<Tasks>): TaskNeeds & AsyncDisposable {
  const dir = join(tmpdir(), `cristal-tasks-${newId()}`);
  const paths = createPaths({ root: `${dir}/root`, state: `${dir}/state` });
  return {
    containerd: {
      tasks: { delete: async () => null, ...tasks } as Tasks,
      snapshots: {} as never,
      containers: {} as never,
    },
    containers: createContainerStore({ create: async () => {}, delete: async () => true }, paths),
    paths,
    pump: { drained: async () => true, close: async () => {} } as never,
    stdin: new StdinKeeper(),
    exits: new ExitWaiters(),
    inits: new Inits(() => false, pino({ level: 'silent' })),
    locks: new KeyedLock(),
    stopping: new Set(),
    released: new Set(),
    log: pino({ level: 'silent' }),
    [Symbol.asyncDispose]: () => removeTree(dir),
  };
}
