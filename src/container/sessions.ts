import { dial } from '../host/dial.ts';
import type { NamespaceThread } from '../host/namespaces.ts';
import { during, Fault, innerFault } from '../lib/fault.ts';
import { newId } from '../lib/id.ts';
import type { AttachWish, ExecWish, RemoteStreams, Sessions } from '../lib/streams.ts';
import type { Tracer } from '../lib/trace.ts';
import { pinsDir } from '../sandbox/release.ts';
import type { ContainerStore } from '../store/containers.ts';
import type { SandboxStore } from '../store/sandboxes.ts';
import { usesHostNetwork } from '../store/sandboxes.ts';
import type { AttachNeeds } from './attach-session.ts';
import { runAttach } from './attach-session.ts';
import type { ExecProcesses } from './exec-process.ts';
import { mustRun } from './exec-process.ts';
import type { ExecNeeds } from './exec-session.ts';
import { runSession } from './exec-session.ts';

export type SessionNeeds = ExecNeeds &
  AttachNeeds & {
    readonly containers: ContainerStore;
    readonly execProcesses: ExecProcesses;
    readonly sandboxes: SandboxStore;
    readonly namespaces: Pick<NamespaceThread, 'openSocket'>;
    readonly config: { readonly execDrainMs: number };
    readonly tracer: Tracer;
  };

/**
 * What clients do in containers and pods. Disposing ends all that is open: the processes of execs are
 * killed, attached containers go on.
 */
export function createSessions(needs: SessionNeeds): Sessions & AsyncDisposable {
  const stop = new AbortController();
  const running = new Set<Promise<unknown>>();
  const track = async <T>(name: string, target: string, run: () => Promise<T>): Promise<T> => {
    const session = needs.tracer.run({ kind: 'session', name, attributes: { target } }, run);
    running.add(session);
    try {
      return await session;
    } finally {
      running.delete(session);
    }
  };
  const orStop = (signal: AbortSignal) => AbortSignal.any([signal, stop.signal]);
  return {
    exec: (wish, streams, signal) =>
      track('exec', wish.containerId, () => exec(needs, { wish, streams }, orStop(signal))),
    attach: (wish, streams, signal) =>
      track('attach', wish.containerId, () => attach(needs, { wish, streams }, orStop(signal))),
    dial: async (wish, port, signal) => {
      const netns = networkOf(needs, wish.sandboxId);
      return await dial(needs.namespaces, { netns, port }, orStop(signal));
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled(running);
    },
  };
}

async function exec(
  needs: SessionNeeds,
  { wish, streams }: { wish: ExecWish; streams: RemoteStreams },
  signal: AbortSignal,
): Promise<number> {
  const { id: containerId } = mustRun(needs.containers, wish.containerId);
  const { cmd, tty } = wish;
  const { execDrainMs: drainMs } = needs.config;
  try {
    const process = await needs.execProcesses.of({ containerId, cmd, tty }, signal);
    const order = { containerId, execId: newId(), process, tty, timeoutMs: 0, drainMs };
    return await runSession(needs, { order, streams }, signal);
  } catch (error) {
    throw during(`exec in container "${containerId}"`, innerFault(error));
  }
}

async function attach(
  needs: SessionNeeds,
  { wish, streams }: { wish: AttachWish; streams: RemoteStreams },
  signal: AbortSignal,
): Promise<void> {
  const container = mustRun(needs.containers, wish.containerId);
  await runAttach(needs, { container, streams }, signal);
}

/** The network namespace of a pod that is up, null for the machine's. */
function networkOf(needs: SessionNeeds, sandboxId: string): string | null {
  const { id, state, config } = needs.sandboxes.mustFind(sandboxId);
  if (state !== 'ready') throw new Fault('failed_precondition', `pod sandbox "${id}" is ${state}, not ready`);
  return usesHostNetwork(config) ? null : `${pinsDir(needs.paths.sandboxState(id))}/net`;
}
