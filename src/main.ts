#!/usr/bin/env node
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCommand } from './cli/command.ts';
import { runDoctor } from './cli/doctor-command.ts';
import type { ImageCommand } from './cli/image-commands.ts';
import { runImageCommand } from './cli/image-commands.ts';
import { imageStreams, withDockerLogin } from './cli/image-streams.ts';
import { createLogger } from './cli/logger.ts';
import type { TraceCommand } from './cli/trace-command.ts';
import { traceText } from './cli/trace-command.ts';
import type { Config } from './config/schema.ts';
import { createContainerd } from './containerd/client.ts';
import { connect } from './containerd/connection.ts';
import { createImages, createServices } from './create-services.ts';
import { followEvents } from './daemon/follow-events.ts';
import { mayStart, preflight } from './daemon/preflight.ts';
import { recover } from './daemon/recover.ts';
import { giveBackAtRest } from './daemon/rest.ts';
import { exists } from './host/files.ts';
import { giveBackMemory, residentBytes } from './host/own-memory.ts';
import { Fault, messageOf } from './lib/fault.ts';
import { observe } from './observe/observe.ts';
import { nameFrom, targetOf } from './rpc/call-target.ts';
import { imageHandlers, runtimeHandlers } from './rpc/index.ts';
import { listen } from './server/listen.ts';
import { debugSocket } from './store/paths.ts';
import { noteContainerd } from './store/root-owner.ts';

/** How long running calls may take to end after SIGTERM, in milliseconds. */
const DRAIN_MS = 10_000;

/** How wide output is that does not go to a terminal, in characters. */
const PLAIN_WIDTH = 120;

const command = parseCommand(process.argv.slice(2));
switch (command.kind) {
  case 'print':
    (command.exitCode === 0 ? process.stdout : process.stderr).write(command.text);
    process.exitCode = command.exitCode;
    break;
  case 'trace':
    await showTrace(command);
    break;
  case 'doctor':
    await seeTheDoctor(command);
    process.exit();
  case 'pull':
  case 'import':
  case 'export':
  case 'list':
    await workOnImages(command);
    // A download that was broken off must not keep us.
    process.exit();
  case 'daemon':
    await serve(command.config);
    // Whatever still hangs must not keep a daemon that said goodbye.
    process.exit();
}

/** Serves CRI until told to stop. Containers go on running. */
async function serve(config: Config): Promise<void> {
  const log = await createLogger(config.logLevel);
  await using daemon = new AsyncDisposableStack();
  const services = await createServices(config, log, daemon);

  const findings = await preflight({ ...services, host: services.facts, exists });
  if (!mayStart(findings, log)) {
    process.exitCode = 1;
    return;
  }
  // Before recovery, which can be asked where it is, too.
  const { tracing, metrics } = config;
  await observe({ ...services, tracing, metrics, debugSocket: debugSocket(config) }, daemon);
  const { uuid } = await services.containerd.introspection.server();
  await noteContainerd(config.root, { ...config.containerd, uuid });
  await services.containerd.namespaces.ensure(config.containerd.namespace);
  await services.images.dropStaleLeases();
  await services.images.store.load();
  await services.tracer.run({ kind: 'daemon', name: 'recover' }, () => recover(services));
  services.containerEvents.open();
  daemon.use(followEvents(services));
  daemon.use(giveBackAtRest({ ...services, residentBytes, giveBack: giveBackMemory }));
  const nameOf = nameFrom(services);
  const server = daemon.use(
    await listen({
      address: config.listen,
      runtime: runtimeHandlers(services),
      image: imageHandlers(services),
      log,
      tracer: services.tracer,
      targetOf: (request) => targetOf(request, nameOf),
    }),
  );
  log.info({ listen: config.listen, containerd: config.containerd.address }, 'serving CRI');

  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  log.info('stopping: running calls may end, containers go on');
  // Streams of events have no end of their own.
  services.containerEvents[Symbol.dispose]();
  // Work whose caller has left is waited for too; what is cut off is rolled back at the next start.
  await Promise.all([server.drain(DRAIN_MS), Promise.race([services.operations.idle(), sleep(DRAIN_MS)])]);
}

/** Says what is left behind and what is missing, and cleans when asked to. */
async function seeTheDoctor(wish: Parameters<typeof runDoctor>[0]): Promise<void> {
  try {
    const { text, exitCode } = await runDoctor(wish);
    process.stdout.write(text);
    process.exitCode = exitCode;
  } catch (error) {
    process.stderr.write(`cristal: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

/** Prints what the running daemon says of its calls. */
async function showTrace(wish: TraceCommand): Promise<void> {
  const { stdout } = process;
  const screen = { width: stdout.columns || PLAIN_WIDTH, colours: stdout.isTTY };
  try {
    stdout.write(await traceText(wish, screen));
  } catch (error) {
    process.stderr.write(`cristal: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

/** Does something with containerd's images, without the daemon. */
async function workOnImages(work: ImageCommand): Promise<void> {
  const { config } = work;
  const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => stop(new Fault('cancelled', `stopped by ${name}`)));
  }
  const log = await createLogger('error');
  using connection = connect({ ...config.containerd, log });
  const containerd = createContainerd(connection);
  // Whoever only looks changes no labels.
  const pinned = work.kind === 'list' || work.kind === 'export' ? null : config.images.pinned;
  const images = createImages({ config: withDockerLogin(config, process.env), containerd, log }, pinned);
  const working = runImageCommand(work, { images, ...imageStreams(process) });
  try {
    await Promise.race([working, stopped]);
  } catch (error) {
    process.stderr.write(`cristal: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
  // What still runs when we are stopped ends with the service, and lets go of what it held.
  await images[Symbol.asyncDispose]();
  await working.catch(() => {});
}
