import type { ContainerEventType__Output as EventType } from '../../gen/runtime/v1/ContainerEventType.ts';
import type { Container } from '../../store/containers.ts';
import type { Sandbox } from '../../store/sandboxes.ts';

/**
 * What a change of a container's state is called. A death of any kind is STOPPED, that of one which never
 * came to run too: the kubelet looks at a pod whenever something in it died.
 */
export function containerEvents(
  before: Pick<Container, 'state'> | null,
  after: Pick<Container, 'state'> | null,
): EventType[] {
  if (before === null) return ['CONTAINER_CREATED_EVENT'];
  if (after === null) return ['CONTAINER_DELETED_EVENT'];
  if (before.state === 'created' && after.state === 'running') return ['CONTAINER_STARTED_EVENT'];
  if (before.state !== 'exited' && after.state === 'exited') return ['CONTAINER_STOPPED_EVENT'];
  return [];
}

/** As for a container, under the sandbox's id. A sandbox is seen for the first time when it runs already. */
export function sandboxEvents(
  before: Pick<Sandbox, 'state'> | null,
  after: Pick<Sandbox, 'state'> | null,
): EventType[] {
  if (after === null) return ['CONTAINER_DELETED_EVENT'];
  if (before === null) {
    return after.state === 'ready'
      ? ['CONTAINER_CREATED_EVENT', 'CONTAINER_STARTED_EVENT']
      : ['CONTAINER_CREATED_EVENT'];
  }
  return before.state === 'ready' && after.state !== 'ready' ? ['CONTAINER_STOPPED_EVENT'] : [];
}
