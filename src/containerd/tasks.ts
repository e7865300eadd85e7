import type { DeleteResponse__Output } from '../gen/containerd/services/tasks/v1/DeleteResponse.ts';
import type { Process__Output } from '../gen/containerd/v1/types/Process.ts';
import { Fault } from '../lib/fault.ts';
import { orNull } from './absent.ts';
import type { CallOptions, Connection } from './connection.ts';
import type { Mount } from './mount.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';
import type { TypedAny } from './typed-any.ts';
import { toAny } from './typed-any.ts';

/** `unknown` is also what containerd says of a task whose shim does not answer. */
export type TaskStatus = 'unknown' | 'created' | 'running' | 'stopped' | 'paused' | 'pausing';

/** A container's init process, or one that was added to it. */
export interface Task {
  /** The container's id. */
  id: string;
  /** Empty for the init process. */
  execId: string;
  pid: number;
  status: TaskStatus;
  exitStatus: number;
  /** Nanoseconds since the epoch; 0 while it lives. */
  exitedAt: bigint;
}

export interface TaskExit {
  exitStatus: number;
  /** Nanoseconds since the epoch. */
  exitedAt: bigint;
}

/** What is known of a process when its shim lets go of it. */
export interface DeletedTask extends TaskExit {
  pid: number;
}

/**
 * FIFO paths; empty ones mean that the streams go nowhere. Without a terminal the shim wants stdout and
 * stderr both or neither.
 */
export interface TaskStreams {
  stdin: string;
  stdout: string;
  stderr: string;
  terminal: boolean;
}

export interface NewTask extends TaskStreams {
  containerId: string;
  rootfs: Mount[];
  options?: TypedAny | null;
}

export interface NewExec extends TaskStreams {
  containerId: string;
  execId: string;
  /** An OCI process as JSON, typed `types.containerd.io/opencontainers/runtime-spec/1/Process`. */
  spec: TypedAny;
}

/** Names a process: the init of a container unless `execId` says otherwise. */
export interface ProcessRef {
  containerId: string;
  execId?: string;
}

export type Tasks = ReturnType<typeof createTasks>;

const service = api['containerd.services.tasks.v1.Tasks'];

const CHECKPOINT_OPTIONS = 'containerd.runc.v1.CheckpointOptions';

export function createTasks(connection: Connection) {
  return {
    /** Makes the container's process, stopped before its first instruction. */
    async create(task: NewTask, options?: CallOptions): Promise<{ pid: number }> {
      const request = { ...task, options: toAny(task.options) };
      const { pid } = await connection.unary(service.Create, request, options);
      return { pid };
    },

    async start(containerId: string, execId = '', options?: CallOptions): Promise<{ pid: number }> {
      const { pid } = await connection.unary(service.Start, { containerId, execId }, options);
      return { pid };
    },

    /** `not_found` if there is no such process. */
    async get(containerId: string, execId = '', options?: CallOptions): Promise<Task> {
      const { process } = await connection.unary(service.Get, { containerId, execId }, options);
      if (!process) throw new Fault('internal', `containerd answered without the task of ${containerId}`);
      // Shims differ in what they say of ids; what was asked for is known.
      return { ...taskFrom(process), id: containerId, execId };
    },

    /** The init processes of all containers of the namespace. */
    async list(options?: CallOptions): Promise<Task[]> {
      const { tasks } = await connection.unary(service.List, {}, options);
      return tasks.map(taskFrom);
    },

    /** `not_found` if the process is gone already. `all` reaches every process of the container. */
    async kill(target: ProcessRef & { signal: number; all?: boolean }, options?: CallOptions): Promise<void> {
      await connection.unary(service.Kill, target, options);
    },

    /** Null if it was already gone. Fails while it runs, with `unknown`: it is the shim that refuses. */
    async delete(containerId: string, options?: CallOptions): Promise<DeletedTask | null> {
      const gone = await orNull(connection.unary(service.Delete, { containerId }, options));
      return gone && deletedFrom(gone);
    },

    /** As `delete`, for a process that was added by `exec`. */
    async deleteProcess(
      containerId: string,
      execId: string,
      options?: CallOptions,
    ): Promise<DeletedTask | null> {
      const request = { containerId, execId };
      const gone = await orNull(connection.unary(service.DeleteProcess, request, options));
      return gone && deletedFrom(gone);
    },

    /** Prepares one more process in a running container. `start` with its exec id runs it. */
    async exec(exec: NewExec, options?: CallOptions): Promise<void> {
      await connection.unary(service.Exec, { ...exec, spec: toAny(exec.spec) }, options);
    },

    async resizePty(
      target: ProcessRef & { width: number; height: number },
      options?: CallOptions,
    ): Promise<void> {
      await connection.unary(service.ResizePty, target, options);
    },

    /** Lets go of the shim's end of a stream, so that the process reads an end of file. */
    async closeIO(target: ProcessRef & { stdin: boolean }, options?: CallOptions): Promise<void> {
      await connection.unary(service.CloseIO, target, options);
    },

    /** New limits for a running container: OCI resources as JSON. */
    async update(
      containerId: string,
      resources: TypedAny,
      annotations: Record<string, string> = {},
      options?: CallOptions,
    ): Promise<void> {
      await connection.unary(
        service.Update,
        { containerId, resources: toAny(resources), annotations },
        options,
      );
    },

    /** Freezes all processes of a container, until `resume`. */
    async pause(containerId: string, options?: CallOptions): Promise<void> {
      await connection.unary(service.Pause, { containerId }, options);
    },

    async resume(containerId: string, options?: CallOptions): Promise<void> {
      await connection.unary(service.Resume, { containerId }, options);
    },

    /** Has the runtime write the state of all processes to a directory on the host; they go on afterwards. */
    async checkpoint(
      containerId: string,
      { imagePath, workPath }: { imagePath: string; workPath: string },
      options?: CallOptions,
    ): Promise<void> {
      const value = api[CHECKPOINT_OPTIONS].serialize({ imagePath, workPath });
      const request = { containerId, options: { type_url: CHECKPOINT_OPTIONS, value } };
      await connection.unary(service.Checkpoint, request, options);
    },

    /** Resolves when the process has ended, however long that takes. */
    async wait(containerId: string, execId = '', options?: CallOptions): Promise<TaskExit> {
      const { exitStatus, exitedAt } = await connection.unary(service.Wait, { containerId, execId }, options);
      return { exitStatus, exitedAt: nsFromTimestamp(exitedAt) };
    },
  };
}

function taskFrom(wire: Process__Output): Task {
  return {
    // A list names the task by `id` and leaves `containerId` empty.
    id: wire.containerId || wire.id,
    execId: '',
    pid: wire.pid,
    status: wire.status.toLowerCase() as TaskStatus,
    exitStatus: wire.exitStatus,
    exitedAt: nsFromTimestamp(wire.exitedAt),
  };
}

function deletedFrom({ pid, exitStatus, exitedAt }: DeleteResponse__Output): DeletedTask {
  return { pid, exitStatus, exitedAt: nsFromTimestamp(exitedAt) };
}
