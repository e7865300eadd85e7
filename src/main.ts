#!/usr/bin/env node
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCommand } from './cli/command.ts';
import { createLogger } from './cli/logger.ts';
import type { Config } from './config/schema.ts';
import { createContainerd } from './containerd/client.ts';
import { connect } from './containerd/connection.ts';
import { createImages, createServices } from './create-services.ts';
import { followEvents } from './daemon/follow-events.ts';
import { mayStart, preflight } from './daemon/preflight.ts';
import { recover } from './daemon/recover.ts';
import { exists } from './host/files.ts';
import { imageHandlers, runtimeHandlers } from './rpc/index.ts';
import { listen } from './server/listen.ts';

/** How long running calls may take to end after SIGTERM, in milliseconds. */
const DRAIN_MS = 10_000;

const command = parseCommand(process.argv.slice(2));
switch (command.kind) {
  case 'print':
    (command.exitCode === 0 ? process.stdout : process.stderr).write(command.text);
    process.exitCode = command.exitCode;
    break;
  case 'import':
    await importArchive(command.config, command.path);
    break;
  case 'daemon':
    await serve(command.config);
    // Whatever still hangs must not keep a daemon that said goodbye.
    process.exit();
}

/** Serves CRI until told to stop. Containers go on running. */
async function serve(config: Config): Promise<void> {
  const log = createLogger(config.logLevel);
  await using daemon = new AsyncDisposableStack();
  const services = await createServices(config, log, daemon);

  const findings = await preflight({ ...services, host: services.facts, exists });
  if (!mayStart(findings, log)) {
    process.exitCode = 1;
    return;
  }
  await services.containerd.namespaces.ensure(config.containerd.namespace);
  await services.images.dropStaleLeases();
  await services.images.store.load();
  await recover(services);
  daemon.use(followEvents(services));
  const server = daemon.use(
    await listen({
      address: config.listen,
      runtime: runtimeHandlers(services),
      image: imageHandlers(services),
      log,
    }),
  );
  log.info({ listen: config.listen, containerd: config.containerd.address }, 'serving CRI');

  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  log.info('stopping: running calls may end, containers go on');
  // Work whose caller has left is waited for too; what is cut off is rolled back at the next start.
  await Promise.all([server.drain(DRAIN_MS), Promise.race([services.operations.idle(), sleep(DRAIN_MS)])]);
}

/** Loads an image archive straight into containerd, and prints what came of it. */
async function importArchive(config: Config, path: string): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const log = createLogger('warn');
  const containerd = createContainerd(stack.use(connect({ ...config.containerd, log })));
  const images = stack.use(createImages({ config, containerd, log }));
  for (const image of await images.importArchive(path)) {
    process.stdout.write(`${[image.id, ...image.repoTags].join(' ')}\n`);
  }
}
