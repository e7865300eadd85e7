import type { Container as ListedContainer } from '../../gen/runtime/v1/Container.ts';
import type { ContainerFilter__Output as Filter } from '../../gen/runtime/v1/ContainerFilter.ts';
import type { ListContainersRequest__Output as Request } from '../../gen/runtime/v1/ListContainersRequest.ts';
import type { ListContainersResponse as Response } from '../../gen/runtime/v1/ListContainersResponse.ts';
import type { Services } from '../services.ts';
import { fits, toListed } from './status.ts';

type Needs = Pick<Services, 'containers' | 'sandboxes'>;

export function listContainers(needs: Needs, request: Request): Response {
  return { containers: listed(needs, request.filter) };
}

/** From memory. An id that fits none lists none. */
export function listed({ containers, sandboxes }: Needs, filter: Filter | null): ListedContainer[] {
  const id = filter?.id ? (containers.find(filter.id)?.id ?? filter.id) : '';
  const podSandboxId = filter?.podSandboxId
    ? (sandboxes.find(filter.podSandboxId)?.id ?? filter.podSandboxId)
    : '';
  const resolved = filter && { ...filter, id, podSandboxId };
  return containers
    .list()
    .filter((container) => fits(container, resolved))
    .map(toListed);
}
