import type { Logger } from 'pino';
import pkg from '../package.json' with { type: 'json' };
import type { Config } from './config/schema.ts';
import { createExecProcesses } from './container/exec-process.ts';
import { Inits, isPlain } from './container/inits.ts';
import { createSessions } from './container/sessions.ts';
import { StdinKeeper } from './container/stdin.ts';
import { ExitWaiters } from './container/waiters.ts';
import { createContainerd } from './containerd/client.ts';
import { connect } from './containerd/connection.ts';
import { SYSTEMD_RUNS } from './daemon/preflight-facts.ts';
import { Apparmor } from './host/apparmor.ts';
import { createCgroupReader } from './host/cgroup/reader.ts';
import { createNetwork } from './host/cni/network.ts';
import { readHostFacts } from './host/facts.ts';
import { ensureDir, exists } from './host/files.ts';
import { startNamespaceThread } from './host/namespaces.ts';
import { lockRoot } from './host/root-lock.ts';
import { startLogPump } from './io/log-pump.ts';
import { Background } from './lib/background.ts';
import { KeyedLock } from './lib/keyed-lock.ts';
import { Tracer } from './lib/trace.ts';
import type { ImageService } from './registry/service.ts';
import { createImageService } from './registry/service.ts';
import { CdiDevices } from './rpc/container/cdi.ts';
import { ImageUserFiles } from './rpc/container/image-user-files.ts';
import { createDiskUsage } from './rpc/image/disk-usage.ts';
import { allSnapshotters } from './rpc/image/snapshotter.ts';
import { Operations } from './rpc/operations.ts';
import { createContainerEvents } from './rpc/runtime/container-events.ts';
import { probeHandlers } from './rpc/runtime/probe-handlers.ts';
import type { Services } from './rpc/services.ts';
import { createStats } from './stats/collector.ts';
import { createContainerStore } from './store/containers.ts';
import { createImageStore } from './store/images.ts';
import { createPaths } from './store/paths.ts';
import { createSandboxStore } from './store/sandboxes.ts';
import { startStreaming } from './streaming/server.ts';

/** Makes what is done with images, which is all that `cristal images …` needs. See the store for `pinned`. */
export function createImages(
  needs: Pick<Services, 'config' | 'containerd' | 'log'>,
  pinned: readonly string[] | null = needs.config.images.pinned,
): ImageService {
  const { config, containerd, log } = needs;
  return createImageService({
    containerd,
    store: createImageStore(containerd, log, pinned),
    config: config.images,
    snapshotter: config.containerd.snapshotter,
    log,
  });
}

/** Makes everything that handlers need. What has a lifetime goes on the stack, and ends in reverse. */
export async function createServices(
  config: Config,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Services> {
  const paths = createPaths(config);
  for (const dir of [config.state, config.root]) await ensureDir(dir, 0o711);
  stack.use(await lockRoot(config.root));
  const containerd = createContainerd(stack.use(connect({ ...config.containerd, log })));
  const systemd =
    config.cgroupDriver === 'auto' ? await exists(SYSTEMD_RUNS) : config.cgroupDriver === 'systemd';
  const otherDirs = Object.values(config.runtimes).flatMap(({ cniConfDir }) => cniConfDir || []);
  const network = stack.use(await createNetwork({ ...config.cni, otherDirs, cacheDir: paths.cniCache, log }));
  const cgroupDriver = systemd ? 'systemd' : 'cgroupfs';
  const facts = await readHostFacts();
  const isPlainHandler = (name: string) => {
    const runtime = config.runtimes[name];
    return runtime !== undefined && isPlain(runtime);
  };
  const stores = {
    sandboxes: createSandboxStore(containerd.containers, paths),
    containers: createContainerStore(containerd.containers, paths),
    images: stack.use(createImages({ config, containerd, log })),
  };
  const base: Omit<Services, 'streaming' | 'stats'> = {
    config,
    log,
    tracer: new Tracer(),
    version: pkg.version,
    containerd,
    facts,
    abilities: await probeHandlers({ config, containerd, facts, cgroupDriver, log }),
    cgroupDriver,
    paths,
    ...stores,
    containerEvents: stack.use(createContainerEvents({ ...stores, log })),
    cdi: new CdiDevices(config.cdiSpecDirs),
    userFiles: new ImageUserFiles(),
    diskUsage: createDiskUsage(containerd, { snapshotters: allSnapshotters(config), log }),
    apparmor: new Apparmor(),
    namespaces: stack.use(await startNamespaceThread(log)),
    network,
    pump: stack.use(await startLogPump(log)),
    stdin: stack.use(new StdinKeeper()),
    background: stack.use(new Background(log)),
    execProcesses: createExecProcesses(containerd.containers),
    locks: new KeyedLock(),
    operations: new Operations(),
    exits: new ExitWaiters(),
    inits: stack.use(new Inits(isPlainHandler, log)),
    stopping: new Set(),
    released: new Set(),
    lease: `cristal-${config.containerd.namespace}`,
  };
  const sessions = stack.use(createSessions(base));
  const cgroups = stack.use(createCgroupReader(base.facts));
  const stats = stack.use(createStats({ ...base, cgroups }));
  return {
    ...base,
    stats,
    streaming: stack.use(await startStreaming({ config: config.streaming, sessions, log })),
  };
}
