import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskNeeds } from '../container/task.ts';
import { recordExit } from '../container/task.ts';
import type { Containerd } from '../containerd/client.ts';
import type { ContainerdEvent } from '../containerd/events.ts';
import type { ImageStore } from '../image/image.ts';
import { nowNs } from '../lib/time.ts';
import type { SandboxStore } from '../store/sandboxes.ts';
import { reconcile } from './reconcile.ts';

/** Pauses between attempts to get the stream back, and between looks at all tasks, in milliseconds. */
const RECONNECT_MS = 500;
const SWEEP_MS = 30_000;

const TOPICS = ['/tasks/exit', '/images/create', '/images/update', '/images/delete'];

type Needs = TaskNeeds & {
  readonly containerd: Pick<Containerd, 'tasks' | 'snapshots' | 'events'>;
  readonly sandboxes: SandboxStore;
  readonly images: { readonly store: Pick<ImageStore, 'refresh' | 'load'> };
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
  while (!signal.aborted) {
    try {
      for await (const { event } of needs.containerd.events.subscribe(filters, signal))
        handle(needs, event, signal);
    } catch (err) {
      if (!signal.aborted) needs.log.warn({ err }, 'event stream lost, connecting again');
    }
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
}

/** Handles one event without holding up the next. */
function handle(needs: Needs, event: ContainerdEvent['event'], signal: AbortSignal): void {
  const failed = (err: unknown) => needs.log.error({ err, event: event.type }, 'event could not be handled');
  switch (event.type) {
    case 'subscribed':
      void catchUp(needs, signal).catch(failed);
      return;
    case 'task-exit': {
      // The exit of a process that was added by exec carries the exec's own id.
      if (event.id !== event.containerId) return;
      const exit = { exitCode: event.exitStatus, exitedAt: event.exitedAt };
      void onExit(needs, event.containerId, exit).catch(failed);
      return;
    }
    case 'image-create':
    case 'image-update':
    case 'image-delete':
      void needs.images.store.refresh(event.name).catch(failed);
      return;
    default:
  }
}

async function onExit(needs: Needs, id: string, exit: { exitCode: number; exitedAt: bigint }): Promise<void> {
  const sandbox = needs.sandboxes.get(id);
  if (sandbox?.state === 'ready') {
    needs.log.warn(
      { sandboxId: id, exitCode: exit.exitCode },
      'pause container exited, pod sandbox is not ready',
    );
    await needs.sandboxes.setStatus(id, { state: 'notready', pid: 0 });
    return;
  }
  await recordExit(needs, id, exit);
}

/** What happened while nobody listened. */
async function catchUp(needs: Needs, signal: AbortSignal): Promise<void> {
  await sweep(needs, signal);
  await needs.images.store.load();
}

async function sweepForEver(needs: Needs, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(SWEEP_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await sweep(needs, signal).catch((err: unknown) => {
      if (!signal.aborted) needs.log.warn({ err }, 'could not compare tasks with our records');
    });
  }
}

/** Finds the exits that no event told us of. */
export async function sweep(needs: Needs, signal: AbortSignal): Promise<void> {
  // Taken before the list: a container that starts after it would be missing from the list.
  const running = needs.containers.list().filter(({ state }) => state === 'running');
  const pauses = needs.sandboxes
    .list()
    .filter(({ state, holder }) => state === 'ready' && holder === 'pause');
  if (running.length + pauses.length === 0) return;
  const tasks = new Map((await needs.containerd.tasks.list({ signal })).map((task) => [task.id, task]));
  for (const { id } of running) {
    const decision = reconcile('running', tasks.get(id) ?? null);
    if (decision.action !== 'mark-exited') continue;
    needs.log.warn({ containerId: id, exitCode: decision.exitCode }, 'exit found without its event');
    await recordExit(needs, id, { exitCode: decision.exitCode, exitedAt: decision.exitedAt || nowNs() });
  }
  for (const { id } of pauses) {
    const status = tasks.get(id)?.status;
    if (status === 'running') continue;
    await onExit(needs, id, { exitCode: 255, exitedAt: nowNs() });
  }
}
