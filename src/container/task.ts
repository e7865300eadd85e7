import type { Logger } from 'pino';
import type { Containerd } from '../containerd/client.ts';
import { endTask } from '../containerd/end-task.ts';
import type { TypedAny } from '../containerd/typed-any.ts';
import { oomKills } from '../host/cgroup.ts';
import { makeFifoDir, removeFifoDir } from '../host/fifo.ts';
import { removeTree } from '../host/files.ts';
import type { LogPump } from '../io/log-pump.ts';
import { allSettled } from '../lib/all-settled.ts';
import { during, isCode } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { Rollback } from '../lib/rollback.ts';
import { nowNs } from '../lib/time.ts';
import { span } from '../lib/trace.ts';
import type { Container, ContainerStore } from '../store/containers.ts';
import type { Paths } from '../store/paths.ts';
import type { Exit } from './exit.ts';
import { exitReason, UNKNOWN_EXIT_CODE } from './exit.ts';
import { rootfsOf } from './id-maps.ts';
import type { Inits } from './inits.ts';
import type { StdinKeeper } from './stdin.ts';
import type { ExitWaiters } from './waiters.ts';

/** How long the last output of an exited container may take to reach its log, in milliseconds. */
const DRAIN_MS = 2_000;

/** What the life of a container's task needs. */
export interface TaskNeeds {
  readonly containerd: Pick<Containerd, 'tasks' | 'snapshots' | 'containers'>;
  readonly containers: ContainerStore;
  readonly paths: Paths;
  readonly pump: LogPump;
  readonly stdin: StdinKeeper;
  readonly exits: ExitWaiters;
  readonly inits: Inits;
  readonly locks: KeyedLock;
  /** The containers that were sent their stop signal and have not exited yet. */
  readonly stopping: Set<string>;
  /** The containers whose task was seen to be deleted, with all that served it: there is no more to be freed of it. */
  readonly released: Set<string>;
  readonly log: Logger;
}

/** Paths of a process's FIFOs; empty where it has none. */
export interface TaskIo {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A terminal's output is one stream. */
export function taskIo(dir: string, { stdin, tty }: { stdin: boolean; tty: boolean }): TaskIo {
  return { stdin: stdin ? `${dir}/stdin` : '', stdout: `${dir}/stdout`, stderr: tty ? '' : `${dir}/stderr` };
}

/** Makes the directory and the FIFOs in it. */
export function makeFifos(dir: string, io: TaskIo): void {
  makeFifoDir(dir, fifosOf(io));
}

/** Takes away what `makeFifos` made, and nothing else. Already gone is done. */
export function removeFifos(dir: string, io: TaskIo): void {
  removeFifoDir(dir, fifosOf(io));
}

function fifosOf({ stdin, stdout, stderr }: TaskIo): string[] {
  return [stdin, stdout, stderr].filter((path) => path !== '');
}

/** Opens our ends of a container's FIFOs: the log's, and the one that keeps its stdin from ending. */
export async function openIo(
  needs: Pick<TaskNeeds, 'paths' | 'pump' | 'stdin'>,
  container: Pick<Container, 'id' | 'config' | 'logPath'>,
  maxLineBytes: number,
): Promise<TaskIo> {
  const { id, config, logPath } = container;
  const io = taskIo(needs.paths.containerState(id), config);
  if (io.stdin !== '') needs.stdin.open(id, io.stdin);
  await needs.pump.open({ id, stdout: io.stdout, stderr: io.stderr, logPath, tty: config.tty, maxLineBytes });
  return io;
}

/**
 * Creates and starts the task of a created container, and writes down that it runs. On failure nothing
 * is left but the record. Whoever calls holds the container's lock.
 */
export async function startTask(
  needs: TaskNeeds,
  container: Container,
  options: {
    runtime: TypedAny | null;
    maxLineBytes: number;
    signal: AbortSignal;
    stage: (name: string) => void;
  },
): Promise<void> {
  const { containerd, containers, log } = needs;
  const { id, config, snapshotter } = container;
  const { signal, stage } = options;
  await using work = new Rollback((step, err) => log.error({ err, containerId: id, step }, 'rollback stuck'));

  needs.released.delete(id);
  stage('open log and FIFOs');
  work.onFailure('io', () => closeIo(needs, id));
  const dir = needs.paths.containerState(id);
  makeFifos(dir, taskIo(dir, config));
  const [snapshot, io] = await allSettled([
    containerd.snapshots.mounts(snapshotter, id, { signal }),
    openIo(needs, container, options.maxLineBytes),
  ]);

  stage('create task');
  work.onFailure('task', (late) => endTask(needs.containerd, id, late));
  work.onFailure('process handle', () => needs.inits.release(id));
  const rootfs = rootfsOf(needs.paths.containerMounts(id), snapshot, config);
  const created = await containerd.tasks.create(
    { containerId: id, rootfs, ...io, terminal: config.tty, options: options.runtime },
    { signal },
  );

  stage('start task');
  // Before the start, whose success then says that the process with this pid was the container's all the while.
  needs.inits.hold(container, created.pid);
  // Taken before, since one that ends at once has its end on record before we hear of its start.
  const startedAt = nowNs();
  const running = { state: 'running', pid: created.pid, startedAt } as const;
  // Beside each other: where a start was cut off recovery finds the task not started, whatever the file says.
  const [{ pid }] = await allSettled<[{ pid: number }, void]>([
    containerd.tasks.start(id, '', { signal }),
    containers.saveStatus(id, { ...container, ...running }),
  ]);
  if (pid !== created.pid) needs.inits.release(id);
  containers.update(id, { ...running, pid });
  work.commit();
}

/**
 * Writes down that a container exited, and frees its task. What is no longer running is left alone.
 * @param exit null when nobody saw it.
 */
export async function recordExit(needs: TaskNeeds, id: string, exit: Exit | null): Promise<void> {
  using _held = await needs.locks.take(`container/${id}`);
  const container = needs.containers.get(id);
  if (container?.state !== 'running') return;
  // Before the task is deleted, since its cgroup goes with it.
  const [kills, isDrained] = await allSettled([
    oomKills(container.cgroupsPath).catch(() => null),
    needs.pump.drained(id, DRAIN_MS),
  ]);
  if (!isDrained) needs.log.warn({ containerId: id }, 'output still open after exit; the rest of it is lost');
  const reason = exitReason(exit, kills);
  await span('exit', reason, (own) => {
    own?.set('containerId', id);
    own?.set('exitCode', exit?.exitCode ?? UNKNOWN_EXIT_CODE);
    own?.set('oomKills', kills ?? 0);
    return writeExit(needs, id, { exit, reason });
  });
}

async function writeExit(
  needs: TaskNeeds,
  id: string,
  { exit, reason }: { exit: Exit | null; reason: string },
): Promise<void> {
  needs.stopping.delete(id);
  needs.inits.release(id);
  try {
    await needs.containers.setStatus(id, {
      state: 'exited',
      pid: 0,
      exitCode: exit?.exitCode ?? UNKNOWN_EXIT_CODE,
      finishedAt: exit?.exitedAt || nowNs(),
      reason,
    });
  } finally {
    // Memory has it even when the disk is full.
    needs.exits.exited(id);
  }
  await releaseTask(needs, id, AbortSignal.timeout(30_000)).catch((err: unknown) => {
    // The next RemoveContainer, or the next start of cristal, tries again.
    needs.log.error({ err, containerId: id }, 'could not delete the task of an exited container');
  });
}

/** Deletes a stopped task and everything that served its input and output. Already gone is done. */
export async function releaseTask(needs: TaskNeeds, id: string, signal: AbortSignal): Promise<void> {
  const deleted = await needs.containerd.tasks.delete(id, { signal });
  await closeIo(needs, id);
  // One that containerd does not find may have lost its record only, and its shim be there.
  if (deleted !== null) needs.released.add(id);
}

/** Lets go of a container's input and output, and removes its FIFOs. Already gone is done. */
export async function closeIo(needs: Pick<TaskNeeds, 'paths' | 'pump' | 'stdin'>, id: string): Promise<void> {
  needs.stdin.close(id);
  await needs.pump.close(id);
  await removeTree(needs.paths.containerState(id));
}

/**
 * Whether a task that containerd did not list is gone for good: the list leaves out one whose shim does
 * not answer this moment.
 */
export async function isGone(
  needs: Pick<TaskNeeds, 'containerd' | 'log'>,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await needs.containerd.tasks.get(id, '', { signal });
    return false;
  } catch (err) {
    if (isCode(err, 'not_found')) return true;
    needs.log.warn({ err, id }, 'could not look at a task, asking again later');
    return false;
  }
}

/**
 * Sends a signal to the container's first process. One that is already gone is fine: its exit is on its way.
 */
export async function signalTask(
  needs: Pick<TaskNeeds, 'containerd'>,
  id: string,
  signal: number,
  options: { all?: boolean; abort: AbortSignal },
): Promise<void> {
  try {
    await needs.containerd.tasks.kill(
      { containerId: id, signal, all: options.all ?? false },
      { signal: options.abort },
    );
  } catch (error) {
    if (!isCode(error, 'not_found')) throw during(`signal ${signal}`, error);
  }
}
