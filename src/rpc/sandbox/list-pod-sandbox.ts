import type { ListPodSandboxRequest__Output as Request } from '../../gen/runtime/v1/ListPodSandboxRequest.ts';
import type { ListPodSandboxResponse as Response } from '../../gen/runtime/v1/ListPodSandboxResponse.ts';
import type { PodSandbox } from '../../gen/runtime/v1/PodSandbox.ts';
import type { PodSandboxFilter__Output as Filter } from '../../gen/runtime/v1/PodSandboxFilter.ts';
import type { Services } from '../services.ts';
import { fits, toListed } from './status.ts';

type Needs = Pick<Services, 'sandboxes'>;

export function listPodSandbox(needs: Needs, request: Request): Response {
  return { items: listSandboxes(needs, request.filter) };
}

/** From memory. An id that fits none lists none. */
export function listSandboxes({ sandboxes }: Needs, filter: Filter | null): PodSandbox[] {
  const id = filter?.id ? (sandboxes.find(filter.id)?.id ?? filter.id) : '';
  const resolved = filter && { ...filter, id };
  return sandboxes
    .list()
    .filter((sandbox) => fits(sandbox, resolved))
    .map(toListed);
}
