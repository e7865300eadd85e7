import type { ServiceDefinition } from '@grpc/proto-loader';
import type { ContainersDefinition } from '../src/gen/containerd/services/containers/v1/Containers.ts';
import type { SnapshotsDefinition } from '../src/gen/containerd/services/snapshots/v1/Snapshots.ts';
import type { TasksDefinition } from '../src/gen/containerd/services/tasks/v1/Tasks.ts';
import type { Calls } from '../test/fixtures/cri-client.ts';
import { connectTo, loadServices, unaryCalls } from '../test/fixtures/cri-client.ts';

/** Goes with every call. */
export const inNamespace = { metadata: { 'containerd-namespace': 'k8s.io' } };

/** containerd's own API, by the same plain client as the CRI. */
export interface ContainerdClient extends Disposable {
  readonly containers: Calls<ContainersDefinition>;
  readonly snapshots: Calls<SnapshotsDefinition>;
  readonly tasks: Calls<TasksDefinition>;
}

export function createContainerdClient(address: string): ContainerdClient {
  const files = ['containers', 'snapshots', 'tasks'].map((name) => `containerd/${name}.proto`);
  const definitions = loadServices(files);
  const client = connectTo(address);
  const service = (name: string) => definitions[`containerd.services.${name}`] as ServiceDefinition;
  return {
    containers: unaryCalls<ContainersDefinition>(client, service('containers.v1.Containers')),
    snapshots: unaryCalls<SnapshotsDefinition>(client, service('snapshots.v1.Snapshots')),
    tasks: unaryCalls<TasksDefinition>(client, service('tasks.v1.Tasks')),
    [Symbol.dispose]: () => client.close(),
  };
}
