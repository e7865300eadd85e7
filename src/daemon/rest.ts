import type { Logger } from 'pino';
import type { Tracer } from '../lib/trace.ts';

const MIB = 1024 * 1024;

/** So often it is looked, and so long nothing may have changed before, in milliseconds. */
const REST_MS = 10_000;

/** Less growth than this since the last time is not worth a pause. */
const GROWN_BYTES = 12 * MIB;

export interface RestNeeds {
  readonly tracer: Tracer;
  readonly log: Logger;
  readonly residentBytes: () => number;
  readonly giveBack: () => Promise<void>;
}

/**
 * Gives memory back when the daemon is at rest, since V8 collects only as it allocates: what fifty pods have
 * left behind when they came would stay for as long as they run. At rest is who makes no changes; the
 * kubelet's questions go on. Until disposed.
 */
export function giveBackAtRest({ tracer, log, residentBytes, giveBack }: RestNeeds): Disposable {
  let hasChanged = true;
  // The first start counts as the work that it is.
  let settled = 0;
  tracer.add({
    treeEnded: ({ quiet }) => {
      hasChanged ||= !quiet;
    },
  });
  const look = async (): Promise<void> => {
    const isBusy = hasChanged || tracer.running().some(({ quiet }) => !quiet);
    hasChanged = false;
    const before = residentBytes();
    if (isBusy || before < settled + GROWN_BYTES) return;
    const start = performance.now();
    await giveBack();
    settled = residentBytes();
    const ms = Math.round(performance.now() - start);
    log.debug({ beforeMiB: mib(before), afterMiB: mib(settled), ms }, 'memory given back at rest');
  };
  const timer = setInterval(() => {
    look().catch((err: unknown) => log.warn({ err }, 'memory cannot be given back'));
  }, REST_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}
