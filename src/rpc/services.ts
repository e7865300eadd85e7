import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import type { ExecProcesses } from '../container/exec-process.ts';
import type { Inits } from '../container/inits.ts';
import type { StdinKeeper } from '../container/stdin.ts';
import type { ExitWaiters } from '../container/waiters.ts';
import type { Containerd } from '../containerd/client.ts';
import type { Apparmor } from '../host/apparmor.ts';
import type { Network } from '../host/cni/network.ts';
import type { NamespaceThread } from '../host/namespaces.ts';
import type { LogPump } from '../io/log-pump.ts';
import type { Background } from '../lib/background.ts';
import type { HostFacts } from '../lib/host-facts.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import type { RuntimeAbilities } from '../lib/runtime-abilities.ts';
import type { Tracer } from '../lib/trace.ts';
import type { ImageService } from '../registry/service.ts';
import type { Stats } from '../stats/collector.ts';
import type { ContainerStore } from '../store/containers.ts';
import type { Paths } from '../store/paths.ts';
import type { SandboxStore } from '../store/sandboxes.ts';
import type { StreamingServer } from '../streaming/server.ts';
import type { CdiDevices } from './container/cdi.ts';
import type { ImageUserFiles } from './container/image-user-files.ts';
import type { DiskUsage } from './image/disk-usage.ts';
import type { Operations } from './operations.ts';
import type { ContainerEvents } from './runtime/container-events.ts';

/** All that handlers can ask for. Each takes a `Pick` of it, which is its list of dependencies. */
export interface Services {
  readonly config: Config;
  readonly log: Logger;
  readonly tracer: Tracer;
  /** cristal's own, as Version reports it. */
  readonly version: string;
  readonly containerd: Containerd;
  readonly facts: HostFacts;
  /** What each runtime handler can do, by name, as found at start. */
  readonly abilities: ReadonlyMap<string, RuntimeAbilities>;
  /** Which driver owns the cgroups, after `auto` was decided. */
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly paths: Paths;
  readonly sandboxes: SandboxStore;
  readonly containers: ContainerStore;
  readonly images: ImageService;
  /** What GetContainerEvents tells. */
  readonly containerEvents: ContainerEvents;
  readonly cdi: CdiDevices;
  /** The users and groups of images. */
  readonly userFiles: ImageUserFiles;
  /** What ImageFsInfo tells. */
  readonly diskUsage: DiskUsage;
  /** The AppArmor profiles in the kernel. */
  readonly apparmor: Apparmor;
  /** What containers and pods use. */
  readonly stats: Stats;
  readonly namespaces: NamespaceThread;
  readonly network: Network;
  readonly pump: LogPump;
  readonly stdin: StdinKeeper;
  readonly execProcesses: ExecProcesses;
  readonly background: Background;
  /** Keys `sandbox/<id>` and `container/<id>`; a container's life shares its sandbox's. */
  readonly locks: KeyedLock;
  readonly operations: Operations;
  readonly exits: ExitWaiters;
  /** The first processes of running containers. */
  readonly inits: Inits;
  /** The containers that were sent their stop signal and have not exited yet. */
  readonly stopping: Set<string>;
  /** The containers whose task was seen to be deleted, with all that served it. */
  readonly released: Set<string>;
  /** Serves the sessions that Exec, Attach and PortForward promise. */
  readonly streaming: StreamingServer;
  /** Id of the lease that holds the snapshots of containers in the making. */
  readonly lease: string;
}
