import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Config } from '../../src/config/schema.ts';
import { defaultConfig } from '../../src/config/schema.ts';
import { createSessions } from '../../src/container/sessions.ts';
import { createServices } from '../../src/create-services.ts';
import { followEvents } from '../../src/daemon/follow-events.ts';
import { recover } from '../../src/daemon/recover.ts';
import type { Sessions } from '../../src/lib/streams.ts';
import { imageHandlers, runtimeHandlers } from '../../src/rpc/index.ts';
import type { Services } from '../../src/rpc/services.ts';
import { listen } from '../../src/server/listen.ts';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { CriClient } from '../fixtures/cri-client.ts';
import { createCriClient } from '../fixtures/cri-client.ts';
import { busyboxImage, pushImage } from '../fixtures/images.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';

/** cristal in this very process, for tests of what is not an RPC. */
export interface Inside extends AsyncDisposable {
  readonly containerd: PrivateContainerd;
  readonly cri: CriClient;
  readonly dir: string;
  readonly services: () => Services;
  readonly sessions: () => Sessions;
  /** What cristal logged at warn and above. */
  readonly logged: { msg: string }[];
  /** Ends all that cristal has in this process, as SIGTERM does, and begins anew on the same state. */
  restart(): Promise<void>;
  /** A pod with one running container. */
  run(name: string, command: string[], change?: { pod?: object; container?: object }): Promise<Ran>;
}

export interface Ran {
  readonly podId: string;
  readonly id: string;
  readonly log: string;
}

export async function startInside(version: ContainerdVersion): Promise<Inside> {
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(scratchDir('inside'), removeScratch);
  const cni = started.use(createCni());
  const containerd = started.use(await startContainerd({ version }));
  await using registry = await startRegistry();
  const config: Config = {
    ...defaultConfig(),
    listen: join(dir, 'cri.sock'),
    root: join(dir, 'root'),
    state: join(dir, 'state'),
    containerd: { ...defaultConfig().containerd, address: containerd.address },
    cni: { ...defaultConfig().cni, confDir: cni.confDir, binDirs: cni.binDirs, timeoutMs: 20_000 },
    images: { ...defaultConfig().images, certsDir: registry.certsDir },
  };
  const logged: { msg: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  let cristal = await begin(config, log);
  started.defer(async () => await cristal.stack.disposeAsync());
  const cri = started.use(createCriClient(config.listen));
  const image = `${registry.host}/busybox:1`;
  await pushImage(registry.url, 'busybox', '1', await busyboxImage());
  await cri.image.pullImage({ image: { image } });

  const all = started.move();
  return {
    containerd,
    cri,
    dir,
    logged,
    services: () => cristal.services,
    sessions: () => cristal.sessions,
    restart: async () => {
      await cristal.stack.disposeAsync();
      cristal = await begin(config, log);
    },
    run: async (name, command, { pod = {}, container = {} } = {}) => {
      const logDirectory = join(dir, 'logs', name);
      mkdirSync(logDirectory, { recursive: true });
      const metadata = { name, namespace: 'default', uid: name, attempt: 0 };
      const sandboxConfig = { metadata, logDirectory, linux: {}, ...pod };
      const { podSandboxId } = await cri.runtime.runPodSandbox({ config: sandboxConfig });
      const of = { metadata: { name, attempt: 0 }, image: { image }, command, logPath: '0.log', linux: {} };
      const { containerId } = await cri.runtime.createContainer({
        podSandboxId,
        config: { ...of, ...container },
        sandboxConfig,
      });
      await cri.runtime.startContainer({ containerId });
      return { podId: podSandboxId, id: containerId, log: join(logDirectory, '0.log') };
    },
    [Symbol.asyncDispose]: async () => await all.disposeAsync(),
  };
}

async function begin(config: Config, log: Services['log']) {
  await using stack = new AsyncDisposableStack();
  const services = await createServices(config, log, stack);
  await services.containerd.namespaces.ensure(config.containerd.namespace);
  await services.images.store.load();
  await recover(services);
  stack.use(services.stdin);
  stack.use(followEvents(services));
  const sessions = stack.use(createSessions(services));
  stack.use(
    await listen({
      address: config.listen,
      runtime: runtimeHandlers(services),
      image: imageHandlers(services),
      log,
      tracer: services.tracer,
      targetOf: () => null,
    }),
  );
  return { services, sessions, stack: stack.move() };
}
