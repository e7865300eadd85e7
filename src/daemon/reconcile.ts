import type { Exit } from '../container/exit.ts';
import type { Task } from '../containerd/tasks.ts';
import type { ContainerState } from '../store/containers.ts';

/** What to do about one container after its record and its task were compared. */
export type Decision =
  /** Nothing to do: both say the same. */
  | { readonly action: 'keep' }
  /** It runs: follow it. The pid is the task's, 0 when its shim does not answer. */
  | { readonly action: 'watch'; readonly pid: number }
  /** It ended while nobody looked; null when nobody can say how. */
  | { readonly action: 'mark-exited'; readonly exit: Exit | null }
  /** It ended and that is written down, but its task is still there. */
  | { readonly action: 'delete-task' }
  /** Creating it, or starting it, was cut off: take back what was made. */
  | { readonly action: 'undo-create' }
  | { readonly action: 'undo-start' }
  /** Removing it was cut off. */
  | { readonly action: 'finish-removal' };

/**
 * What we wrote down, against what containerd finds. Decides; touches nothing.
 *
 *              | no task      | created     | running  | stopped
 *   creating   | undo-create  | undo-create for all of them
 *   created    | keep         | undo-start  | watch    | mark-exited
 *   running    | mark-exited  | undo-start  | watch    | mark-exited
 *   exited     | keep         | delete-task for all of them
 *   removing   | finish-removal for all of them
 *
 * A task that is paused, or whose shim does not answer this moment, counts as running.
 */
export function reconcile(
  recorded: ContainerState,
  task: Pick<Task, 'status' | 'pid' | 'exitStatus' | 'exitedAt'> | null,
): Decision {
  switch (recorded) {
    case 'creating':
      return { action: 'undo-create' };
    case 'removing':
      return { action: 'finish-removal' };
    case 'exited':
      return { action: task ? 'delete-task' : 'keep' };
    case 'unknown':
    case 'created':
    case 'running':
      return task
        ? ofLiving(task)
        : recorded === 'created'
          ? { action: 'keep' }
          : { action: 'mark-exited', exit: null };
  }
}

function ofLiving(task: Pick<Task, 'status' | 'pid' | 'exitStatus' | 'exitedAt'>): Decision {
  switch (task.status) {
    case 'created':
      return { action: 'undo-start' };
    case 'stopped':
      return { action: 'mark-exited', exit: { exitCode: task.exitStatus, exitedAt: task.exitedAt } };
    case 'running':
    case 'paused':
    case 'pausing':
    case 'unknown':
      return { action: 'watch', pid: task.pid };
  }
}
