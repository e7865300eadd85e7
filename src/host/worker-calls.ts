import type { MessagePort, Transferable } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';

import type { Logger } from 'pino';
import type { FaultCode } from '../lib/fault.ts';
import { codeOf, Fault, messageOf } from '../lib/fault.ts';

/** The functions that one side serves to the other. Arguments and results are structured clones. */
export type Handlers = Record<string, (argument: never) => unknown>;

interface Request {
  id: number;
  name: string;
  argument: unknown;
}

type Reply =
  | { id: number; value: unknown }
  | { id: number; code: FaultCode; message: string }
  | { log: 'info' | 'warn' | 'error'; message: string; fields: Record<string, unknown> };

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** How a thread is run. */
export interface WorkerOptions {
  /** Told when the thread ended unasked; its pending calls have failed by then. */
  onLost?: () => void;
  /**
   * Whether Node closes, when the thread ends, the descriptors that node:fs opened in it. Must be
   * false where sockets take them over: Node does not notice, and would close what others opened
   * under the same numbers since.
   */
  closesFds?: boolean;
}

/**
 * Calls into a worker thread that is started again, at the next call, should it ever end.
 * The thread holds the process alive only while an answer is due.
 */
export class WorkerCalls<Served extends Handlers> implements AsyncDisposable {
  readonly #file: URL;
  readonly #log: Logger;
  readonly #options: WorkerOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #lastId = 0;
  #disposed = false;

  constructor(file: URL, log: Logger, options: WorkerOptions = {}) {
    this.#file = file;
    this.#log = log;
    this.#options = options;
  }

  /**
   * Runs handler `name` in the thread. Fails with its Fault, or with `unavailable` when the thread ends.
   * @param transfer what of the argument the thread takes over, such as a port.
   */
  call<Name extends keyof Served & string>(
    name: Name,
    argument: Parameters<Served[Name]>[0],
    transfer: Transferable[] = [],
  ): Promise<Awaited<ReturnType<Served[Name]>>> {
    if (this.#disposed) return Promise.reject(new Fault('unavailable', `${name}: the thread was stopped`));
    const worker = this.#running();
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    worker.ref();
    worker.postMessage({ id, name, argument } satisfies Request, transfer);
    return promise as Promise<Awaited<ReturnType<Served[Name]>>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#worker?.terminate();
  }

  #running(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(this.#file, { trackUnmanagedFds: this.#options.closesFds ?? true });
    worker.on('message', (reply: Reply) => this.#settle(worker, reply));
    worker.on('error', (err) => this.#log.error({ err }, 'worker thread failed'));
    worker.on('exit', (exitCode) => this.#lost(worker, exitCode));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, reply: Reply): void {
    if ('log' in reply) {
      this.#log[reply.log](reply.fields, reply.message);
      return;
    }
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) worker.unref();
    if ('code' in reply) pending?.reject(new Fault(reply.code, reply.message));
    else pending?.resolve(reply.value);
  }

  #lost(worker: Worker, exitCode: number): void {
    if (this.#worker === worker) this.#worker = null;
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of lost) pending.reject(new Fault('unavailable', 'the worker thread ended'));
    if (this.#disposed) return;
    this.#log.error({ exitCode, calls: lost.length }, 'worker thread ended, it will be started again');
    this.#options.onLost?.();
  }
}

/** Thrown by a handler when its thread can no longer be trusted: the answer goes out, the thread ends. */
export class ThreadSpoiled extends Fault {}

/** The thread's side: answers every call by the handler of its name. */
export function serveCalls(port: MessagePort, handlers: Handlers): void {
  port.on('message', ({ id, name, argument }: Request) => {
    const handler = handlers[name];
    const run = (): unknown => {
      if (!handler) throw new Fault('unimplemented', `worker thread has no ${name}`);
      return handler(argument as never);
    };
    Promise.try(run).then(
      (value) => port.postMessage({ id, value } satisfies Reply),
      (error: unknown) => {
        port.postMessage({ id, code: codeOf(error), message: messageOf(error) } satisfies Reply);
        // oxlint-disable-next-line unicorn/no-process-exit -- ends this thread, not the process
        if (error instanceof ThreadSpoiled) process.exit(1);
      },
    );
  });
}

/** Sends a log line to the other side, where the logger is. */
export function logTo(
  port: MessagePort,
  log: 'info' | 'warn' | 'error',
  message: string,
  fields: object,
): void {
  port.postMessage({ log, message, fields: { ...fields } } satisfies Reply);
}
