import { setTimeout as sleep } from 'node:timers/promises';
import type { Exit } from '../container/exit.ts';
import type { TaskNeeds } from '../container/task.ts';
import { closeIo, isGone, recordExit } from '../container/task.ts';
import type { Containerd } from '../containerd/client.ts';
import { endTask } from '../containerd/end-task.ts';
import type { ContainerdEvent } from '../containerd/events.ts';
import type { ImageStore } from '../image/image.ts';
import type { Tracer } from '../lib/trace.ts';
import type { SandboxStore } from '../store/sandboxes.ts';
import { reconcile } from './reconcile.ts';

/**
 * Pauses between attempts to get the stream back, and between looks at all tasks, in milliseconds. The
 * first is short, since what a shim tells containerd before we listen again nobody will tell us.
 */
const RECONNECT_MS = 50;
const SWEEP_MS = 30_000;

/**
 * A shim that could not reach containerd with an event tries again after one second, then after two more
 * and so on up to five. So the exit of a task that containerd no longer knows may still come.
 */
const LATE_EVENT_MS = 6_000;

// What a shim tells last of a task is its deletion, which repeats how it exited.
const TOPICS = ['/tasks/exit', '/tasks/delete', '/images/create', '/images/update', '/images/delete'];

type Needs = TaskNeeds & {
  readonly tracer: Tracer;
  readonly containerd: Pick<Containerd, 'tasks' | 'snapshots' | 'containers' | 'events'>;
  readonly sandboxes: SandboxStore;
  readonly images: { readonly store: Pick<ImageStore, 'changed' | 'load'> };
};

/**
 * Follows containerd's events until disposed. An event can be lost with the stream that carried it,
 * so all tasks are compared with our records as soon as a new stream flows, and every half minute.
 */
export function followEvents(needs: Needs): AsyncDisposable {
  const stop = new AbortController();
  const loops = Promise.all([follow(needs, stop.signal), sweepForEver(needs, stop.signal)]);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await loops;
    },
  };
}

async function follow(needs: Needs, signal: AbortSignal): Promise<void> {
  const filters = TOPICS.map((topic) => `topic=="${topic}"`);
  let lost = false;
  while (!signal.aborted) {
    try {
      for await (const { event } of needs.containerd.events.subscribe(filters, signal)) {
        lost = false;
        handle(needs, event, signal);
      }
    } catch (err) {
      // Once, however long it takes to get it back.
      if (!signal.aborted && !lost) needs.log.warn({ err }, 'event stream lost, connecting again');
      lost = true;
    }
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
}

/** Handles one event without holding up the next. */
function handle(needs: Needs, event: ContainerdEvent['event'], signal: AbortSignal): void {
  const failed = (err: unknown) => needs.log.error({ err, event: event.type }, 'event could not be handled');
  const act = (target: string | null, work: () => Promise<void>) => {
    const attributes = target === null ? null : { target };
    void needs.tracer.run({ kind: 'event', name: event.type, attributes }, work).catch(failed);
  };
  switch (event.type) {
    case 'subscribed':
      act(null, () => catchUp(needs, signal));
      return;
    case 'task-exit':
    case 'task-delete': {
      // The exit of a process that was added by exec carries the exec's own id.
      if (event.id !== event.containerId) return;
      const exit = { exitCode: event.exitStatus, exitedAt: event.exitedAt };
      act(event.containerId, () => onExit(needs, event.containerId, exit));
      return;
    }
    case 'image-create':
    case 'image-update':
    case 'image-delete':
      act(event.name, () => needs.images.store.changed(event.name));
      return;
    default:
  }
}

async function onExit(needs: Needs, id: string, exit: Exit | null): Promise<void> {
  const sandbox = needs.sandboxes.get(id);
  if (sandbox?.state === 'ready') {
    needs.log.warn({ sandboxId: id, exit }, 'pause container exited, pod sandbox is not ready');
    await needs.sandboxes.setStatus(id, { state: 'notready', pid: 0 });
    return;
  }
  await recordExit(needs, id, exit);
}

/** What happened while nobody listened. */
async function catchUp(needs: Needs, signal: AbortSignal): Promise<void> {
  await Promise.all([sweep(needs, signal), needs.images.store.load()]);
}

async function sweepForEver(needs: Needs, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(SWEEP_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const looking = { kind: 'daemon', name: 'compare tasks', quiet: true } as const;
    await needs.tracer
      .run(looking, () => sweep(needs, signal))
      .catch((err: unknown) => {
        if (!signal.aborted) needs.log.warn({ err }, 'could not compare tasks with our records');
      });
  }
}

/** Finds the exits that no event told us of, and the tasks that could not be deleted when they were over. */
export async function sweep(needs: Needs, signal: AbortSignal): Promise<void> {
  // Taken before the list: a container that starts after it would be missing from the list.
  const running = needs.containers.list().filter(({ state }) => state === 'running');
  const pauses = needs.sandboxes
    .list()
    .filter(({ state, holder }) => state === 'ready' && holder === 'pause');
  const exited = needs.containers.list().filter(({ state }) => state === 'exited');
  if (running.length + pauses.length + exited.length === 0) return;
  const tasks = new Map((await needs.containerd.tasks.list({ signal })).map((task) => [task.id, task]));
  const missing: string[] = [];
  for (const { id } of running) {
    const decision = reconcile('running', tasks.get(id) ?? null);
    if (decision.action !== 'mark-exited') continue;
    if (decision.exit === null) {
      missing.push(id);
      continue;
    }
    needs.log.warn({ containerId: id, exit: decision.exit }, 'exit found without its event');
    await recordExit(needs, id, decision.exit);
  }
  for (const { id } of pauses) {
    const task = tasks.get(id);
    if (task ? task.status === 'stopped' : await isGone(needs, id, signal)) await onExit(needs, id, null);
  }
  for (const { id } of exited) if (tasks.has(id)) await clearTask(needs, id, signal);
  if (missing.length === 0) return;
  await sleep(LATE_EVENT_MS, undefined, { signal });
  await giveUp(needs, missing, signal);
}

/** Ends the task of a container that counts as exited: its start failed half-way, or its clean-up did. */
async function clearTask(needs: Needs, id: string, signal: AbortSignal): Promise<void> {
  using _held = await needs.locks.take(`container/${id}`, signal);
  if (needs.containers.get(id)?.state !== 'exited' || (await isGone(needs, id, signal))) return;
  needs.log.warn({ containerId: id }, 'task of an exited container is still there, deleting it');
  await endTask(needs.containerd, id, signal);
  await closeIo(needs, id);
}

/** Writes down the end of containers whose task is gone, once no event can tell how they ended. */
export async function giveUp(needs: TaskNeeds, ids: string[], signal: AbortSignal): Promise<void> {
  for (const id of ids) {
    if (needs.containers.get(id)?.state !== 'running' || !(await isGone(needs, id, signal))) continue;
    needs.log.warn({ containerId: id }, 'container is gone, and nobody saw how it ended');
    await recordExit(needs, id, null);
  }
}
