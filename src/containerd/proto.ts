import type { MessageTypeDefinition } from '@grpc/proto-loader';
import type { NamespaceUpdate, NamespaceUpdate__Output } from '../gen/containerd/events/NamespaceUpdate.ts';
import type { TaskDelete, TaskDelete__Output } from '../gen/containerd/events/TaskDelete.ts';
import type { TaskExit, TaskExit__Output } from '../gen/containerd/events/TaskExit.ts';
import type { TaskOOM, TaskOOM__Output } from '../gen/containerd/events/TaskOOM.ts';
import type { TaskStart, TaskStart__Output } from '../gen/containerd/events/TaskStart.ts';
import type {
  CheckpointOptions,
  CheckpointOptions__Output,
} from '../gen/containerd/runc/v1/CheckpointOptions.ts';
import type { Options, Options__Output } from '../gen/containerd/runc/v1/Options.ts';
import type { ContainersDefinition } from '../gen/containerd/services/containers/v1/Containers.ts';
import type { ContentDefinition } from '../gen/containerd/services/content/v1/Content.ts';
import type { DiffDefinition } from '../gen/containerd/services/diff/v1/Diff.ts';
import type { EventsDefinition } from '../gen/containerd/services/events/v1/Events.ts';
import type { ImageCreate, ImageCreate__Output } from '../gen/containerd/services/images/v1/ImageCreate.ts';
import type { ImageDelete, ImageDelete__Output } from '../gen/containerd/services/images/v1/ImageDelete.ts';
import type { ImagesDefinition } from '../gen/containerd/services/images/v1/Images.ts';
import type { ImageUpdate, ImageUpdate__Output } from '../gen/containerd/services/images/v1/ImageUpdate.ts';
import type { IntrospectionDefinition } from '../gen/containerd/services/introspection/v1/Introspection.ts';
import type { LeasesDefinition } from '../gen/containerd/services/leases/v1/Leases.ts';
import type { NamespacesDefinition } from '../gen/containerd/services/namespaces/v1/Namespaces.ts';
import type { SnapshotsDefinition } from '../gen/containerd/services/snapshots/v1/Snapshots.ts';
import type { TasksDefinition } from '../gen/containerd/services/tasks/v1/Tasks.ts';
import type { VersionDefinition } from '../gen/containerd/services/version/v1/Version.ts';
import type { RuntimeInfo, RuntimeInfo__Output } from '../gen/containerd/types/RuntimeInfo.ts';
import type { RuntimeRequest, RuntimeRequest__Output } from '../gen/containerd/types/RuntimeRequest.ts';
import type {
  Options as ShimOptions,
  Options__Output as ShimOptions__Output,
} from '../gen/runtimeoptions/v1/Options.ts';
import { loadProtos } from '../lib/load-protos.ts';

/** What we use of containerd's API, by full protobuf name. */
interface Definitions {
  'containerd.services.containers.v1.Containers': ContainersDefinition;
  'containerd.services.content.v1.Content': ContentDefinition;
  'containerd.services.diff.v1.Diff': DiffDefinition;
  'containerd.services.events.v1.Events': EventsDefinition;
  'containerd.services.images.v1.Images': ImagesDefinition;
  'containerd.services.introspection.v1.Introspection': IntrospectionDefinition;
  'containerd.services.leases.v1.Leases': LeasesDefinition;
  'containerd.services.namespaces.v1.Namespaces': NamespacesDefinition;
  'containerd.services.snapshots.v1.Snapshots': SnapshotsDefinition;
  'containerd.services.tasks.v1.Tasks': TasksDefinition;
  'containerd.services.version.v1.Version': VersionDefinition;

  'containerd.events.NamespaceUpdate': MessageTypeDefinition<NamespaceUpdate, NamespaceUpdate__Output>;
  'containerd.events.TaskDelete': MessageTypeDefinition<TaskDelete, TaskDelete__Output>;
  'containerd.events.TaskExit': MessageTypeDefinition<TaskExit, TaskExit__Output>;
  'containerd.events.TaskOOM': MessageTypeDefinition<TaskOOM, TaskOOM__Output>;
  'containerd.events.TaskStart': MessageTypeDefinition<TaskStart, TaskStart__Output>;
  'containerd.services.images.v1.ImageCreate': MessageTypeDefinition<ImageCreate, ImageCreate__Output>;
  'containerd.services.images.v1.ImageDelete': MessageTypeDefinition<ImageDelete, ImageDelete__Output>;
  'containerd.services.images.v1.ImageUpdate': MessageTypeDefinition<ImageUpdate, ImageUpdate__Output>;

  'containerd.runc.v1.CheckpointOptions': MessageTypeDefinition<CheckpointOptions, CheckpointOptions__Output>;
  'containerd.runc.v1.Options': MessageTypeDefinition<Options, Options__Output>;
  'containerd.types.RuntimeInfo': MessageTypeDefinition<RuntimeInfo, RuntimeInfo__Output>;
  'containerd.types.RuntimeRequest': MessageTypeDefinition<RuntimeRequest, RuntimeRequest__Output>;
  'runtimeoptions.v1.Options': MessageTypeDefinition<ShimOptions, ShimOptions__Output>;
}

const files = [
  'containers',
  'content',
  'diff',
  'event-types',
  'events',
  'images',
  'introspection',
  'leases',
  'namespaces',
  'runc-options',
  'runtime-info',
  'shim-options',
  'snapshots',
  'tasks',
  'version',
];

const definitions: unknown = loadProtos(files.map((name) => `containerd/${name}.proto`));

/** Service and message definitions, read once when the module is first imported. */
export const api = definitions as Definitions;
