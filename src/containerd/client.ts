import type { CallOptions, Connection } from './connection.ts';
import type { Containers } from './containers.ts';
import { createContainers } from './containers.ts';
import type { Content } from './content.ts';
import { createContent } from './content.ts';
import type { Diff } from './diff.ts';
import { createDiff } from './diff.ts';
import type { Events } from './events.ts';
import { createEvents } from './events.ts';
import type { Images } from './images.ts';
import { createImages } from './images.ts';
import type { Introspection } from './introspection.ts';
import { createIntrospection } from './introspection.ts';
import type { Leases } from './leases.ts';
import { createLeases } from './leases.ts';
import type { Namespaces } from './namespaces.ts';
import { createNamespaces } from './namespaces.ts';
import { api } from './proto.ts';
import type { Snapshots } from './snapshots.ts';
import { createSnapshots } from './snapshots.ts';
import type { Tasks } from './tasks.ts';
import { createTasks } from './tasks.ts';

/** containerd's services over one connection. A part that needs few of them takes a `Pick`. */
export interface Containerd {
  containers: Containers;
  tasks: Tasks;
  snapshots: Snapshots;
  images: Images;
  content: Content;
  leases: Leases;
  diff: Diff;
  events: Events;
  introspection: Introspection;
  namespaces: Namespaces;
  version(options?: CallOptions): Promise<{ version: string; revision: string }>;
}

export function createContainerd(connection: Connection): Containerd {
  return {
    containers: createContainers(connection),
    tasks: createTasks(connection),
    snapshots: createSnapshots(connection),
    images: createImages(connection),
    content: createContent(connection),
    leases: createLeases(connection),
    diff: createDiff(connection),
    events: createEvents(connection),
    introspection: createIntrospection(connection),
    namespaces: createNamespaces(connection),
    version: (options) =>
      connection.unary(api['containerd.services.version.v1.Version'].Version, {}, options),
  };
}
