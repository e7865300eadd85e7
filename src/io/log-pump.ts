import { MessageChannel } from 'node:worker_threads';
import type { Logger } from 'pino';

import { WorkerCalls } from '../host/worker-calls.ts';
import { span } from '../lib/trace.ts';
import type { Attachment, OutputSinks } from './attachment.ts';
import { receiveOutput, wantedStreams } from './attachment.ts';
import type { LogTarget } from './container-log.ts';
import type { LogPumpCalls } from './log-pump-worker.ts';

/** How long to wait before the logs are opened again after their thread was lost. */
const RESTART_MS = 1000;

/**
 * Moves what containers write to their log files, off the API's event loop. After a restart of
 * cristal `open` goes on with FIFOs that exist: what the pipe holds is not lost. Lost is the start
 * of a line that had been read but not ended when cristal was killed.
 */
export interface LogPump extends AsyncDisposable {
  /** Resolves when log file and FIFOs are open. The FIFOs may have no writer yet. */
  open(target: LogTarget): Promise<void>;
  /** Opens the log path anew, for log rotation. `failed_precondition` when `id` is not open. */
  reopen(id: string): Promise<void>;
  /** True when all FIFOs are at their end and the log is written, or nothing is open; false after `ms`. */
  drained(id: string, ms: number): Promise<boolean>;
  /**
   * Copies the output of `id` from now on to `sinks`. One that does not keep up is let go, and never
   * slows the log, the container or another. `failed_precondition` when `id` is not open.
   */
  attach(id: string, sinks: OutputSinks): Promise<Attachment>;
  /** Bytes that were written to all logs since the thread began. */
  written(): Promise<number>;
  /** Stops reading, writes what was read, releases all. Idempotent. */
  close(id: string): Promise<void>;
}

/** Starts the thread; resolves when it is ready. */
export async function startLogPump(log: Logger): Promise<LogPump> {
  const targets = new Map<string, LogTarget>();
  let stopped = false;
  let restarting = false;

  // The FIFOs keep what is written meanwhile, as they do through a restart of cristal.
  const reopenAll = async () => {
    restarting = false;
    for (const target of targets.values()) {
      try {
        await calls.call('open', target);
      } catch (err) {
        log.error({ err, id: target.id }, 'container log could not be opened again');
      }
    }
  };
  const onLost = () => {
    if (stopped || restarting || targets.size === 0) return;
    restarting = true;
    setTimeout(() => void reopenAll(), RESTART_MS);
  };
  const file = new URL('log-pump-worker.ts', import.meta.url);
  const calls = new WorkerCalls<LogPumpCalls>(file, log, { onLost, closesFds: false });
  await calls.call('ready', undefined);

  return {
    async open(target) {
      await span('log', 'open', () => calls.call('open', target));
      targets.set(target.id, target);
    },
    reopen: (id) => span('log', 'reopen', () => calls.call('reopen', id)),
    drained: (id, ms) => span('log', 'drained', () => calls.call('drained', { id, ms })),
    async attach(id, sinks) {
      const { port1, port2 } = new MessageChannel();
      const attachment = receiveOutput(id, port1, sinks);
      try {
        const order = { id, to: port2, wanted: wantedStreams(sinks) };
        await span('log', 'attach', () => calls.call('attach', order, [port2]));
        return attachment;
      } catch (error) {
        attachment[Symbol.dispose]();
        throw error;
      }
    },
    written: () => calls.call('written', undefined),
    async close(id) {
      targets.delete(id);
      await span('log', 'close', () => calls.call('close', id));
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      // Writes what was read, so that an orderly stop loses nothing.
      await Promise.allSettled([...targets.keys()].map((id) => calls.call('close', id)));
      await calls[Symbol.asyncDispose]();
    },
  };
}
