import type { TaskExit__Output } from '../gen/containerd/events/TaskExit.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';
import type { TypedAny } from './typed-any.ts';
import { typeName } from './typed-any.ts';

/** The end of a process. */
interface ProcessEnd {
  containerId: string;
  /** The exec id, or the container's own id for its init process. */
  id: string;
  pid: number;
  exitStatus: number;
  /** Nanoseconds since the epoch. */
  exitedAt: bigint;
}

/**
 * What happened, as far as cristal cares. A `task-delete` of the last task of a shim may be lost with the
 * shim (seen with containerd 2.3), so nothing may depend on it.
 */
export type EventBody =
  | { type: 'task-start'; containerId: string; pid: number }
  | ({ type: 'task-exit' } & ProcessEnd)
  | ({ type: 'task-delete' } & ProcessEnd)
  | { type: 'task-oom'; containerId: string }
  | { type: 'image-create' | 'image-update' | 'image-delete'; name: string }
  | { type: 'other'; typeUrl: string };

/** Decodes an event. A kind that we have no use for, or that has no body, is `other`. */
export function decodeEvent(any: TypedAny | null): EventBody {
  const bytes = Buffer.from(any?.value ?? []);
  const name = typeName(any?.typeUrl ?? '');
  switch (name) {
    case 'containerd.events.TaskStart': {
      const { containerId, pid } = api[name].deserialize(bytes);
      return { type: 'task-start', containerId, pid };
    }
    case 'containerd.events.TaskExit':
      return { type: 'task-exit', ...processEnd(api[name].deserialize(bytes)) };
    case 'containerd.events.TaskDelete':
      return { type: 'task-delete', ...processEnd(api[name].deserialize(bytes)) };
    case 'containerd.events.TaskOOM':
      return { type: 'task-oom', containerId: api[name].deserialize(bytes).containerId };
    case 'containerd.services.images.v1.ImageCreate':
      return { type: 'image-create', name: api[name].deserialize(bytes).name };
    case 'containerd.services.images.v1.ImageUpdate':
      return { type: 'image-update', name: api[name].deserialize(bytes).name };
    case 'containerd.services.images.v1.ImageDelete':
      return { type: 'image-delete', name: api[name].deserialize(bytes).name };
    default:
      return { type: 'other', typeUrl: any?.typeUrl ?? '' };
  }
}

/** TaskDelete has the same fields as TaskExit. */
function processEnd({ containerId, id, pid, exitStatus, exitedAt }: TaskExit__Output): ProcessEnd {
  // Of an init process the exit names the container twice and the deletion only once.
  return { containerId, id: id || containerId, pid, exitStatus, exitedAt: nsFromTimestamp(exitedAt) };
}
