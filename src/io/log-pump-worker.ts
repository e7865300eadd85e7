import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { parentPort } from 'node:worker_threads';
import { hostFault } from '../host/errno.ts';
import { logTo, serveCalls } from '../host/worker-calls.ts';
import { Fault } from '../lib/fault.ts';
import type { ContainerLog, LogTarget } from './container-log.ts';
import { openContainerLog } from './container-log.ts';
import type { StreamName } from './tap.ts';
import { createTap } from './tap.ts';

// The one thread that moves all containers' output to their log files. What waits in it waits for
// one container: each has its own queue, and FIFOs are read by the event loop.

if (!parentPort) throw new Fault('internal', 'log-pump-worker.ts runs as a worker thread only');
const port = parentPort;
const logs = new Map<string, Promise<ContainerLog>>();
let writtenBytes = 0;

async function open(target: LogTarget): Promise<void> {
  const { id, logPath } = target;
  if (logs.has(id)) throw new Fault('already_exists', `log of ${id} is open already`);
  const opening = openContainerLog(target, {
    onWritten: (bytes) => {
      writtenBytes += bytes;
    },
    onFailure: (err) => logTo(port, 'error', 'container log cannot be written', { id, logPath, err }),
    onRecovery: (lostBytes) =>
      logTo(port, 'warn', 'container log is written again', { id, logPath, lostBytes }),
    onReadError: (err) => logTo(port, 'error', 'container output cannot be read', { id, err }),
  });
  logs.set(id, opening);
  try {
    await opening;
  } catch (error) {
    logs.delete(id);
    throw hostFault(`open log of ${id}`, error);
  }
}

async function reopen(id: string): Promise<void> {
  const found = logs.get(id);
  if (!found) throw new Fault('failed_precondition', `log of ${id} is not open`);
  await (await found).reopen();
}

/** What is not open has nothing left to write. */
async function drained({ id, ms }: { id: string; ms: number }): Promise<boolean> {
  const found = logs.get(id);
  if (!found) return true;
  const timer = new AbortController();
  try {
    return await Promise.race([
      (await found).drained().then(() => true),
      sleep(ms, false, { signal: timer.signal }),
    ]);
  } finally {
    timer.abort();
  }
}

/** What is read from now on goes to `to` as well, which acknowledges it: see tap.ts. */
async function attach({ id, to, wanted }: AttachOrder): Promise<void> {
  try {
    const found = logs.get(id);
    if (!found) throw new Fault('failed_precondition', `output of ${id} is not open`);
    const detach = (await found).attach(createTap(to, wanted));
    to.on('close', detach);
  } catch (error) {
    to.close();
    throw error;
  }
}

interface AttachOrder {
  id: string;
  to: MessagePort;
  wanted: StreamName[];
}

async function close(id: string): Promise<void> {
  const found = logs.get(id);
  logs.delete(id);
  await (await found?.catch(() => null))?.close(); // its failure went to the one who opened it
}

const written = (): number => writtenBytes;

const handlers = { ready: () => null, open, reopen, drained, attach, close, written };

/** What this thread serves: its type is what log-pump.ts calls. */
export type LogPumpCalls = typeof handlers;

serveCalls(port, handlers);
