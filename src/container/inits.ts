import type { Logger } from 'pino';
import type { RuntimeHandler } from '../config/schema.ts';
import { ProcessHandle } from '../host/process-handle.ts';
import { span } from '../lib/trace.ts';
import { SIGKILL } from '../spec/signal.ts';
import type { Container } from '../store/containers.ts';

/** OCI runtimes whose tasks have the pid of the container's own first process; '' is runc. */
const PLAIN_RUNTIMES = ['', 'runc', 'crun', 'youki'];

/**
 * Whether the pid of a task is that of the container's own first process: not that of a machine, or of a kernel in
 * user space, which would take a signal for itself.
 */
export function isPlain(runtime: Pick<RuntimeHandler, 'type' | 'binary' | 'options'>): boolean {
  const { BinaryName: named } = runtime.options;
  const programs = [runtime.binary, typeof named === 'string' ? named : ''];
  return (
    runtime.type.startsWith('io.containerd.runc.') &&
    programs.every((path) => PLAIN_RUNTIMES.includes(path.slice(path.lastIndexOf('/') + 1)))
  );
}

/**
 * The first processes of running containers, held so that a signal needs no containerd, no shim and no run of runc
 * (decision 0014). Those that are not here are signalled by containerd.
 */
export class Inits implements Disposable {
  readonly #held = new Map<string, ProcessHandle>();
  readonly #isPlain: (runtimeHandler: string) => boolean;
  readonly #log: Logger;

  /** @param isPlain whether the tasks of a runtime handler have the pid of their container's first process. */
  constructor(isPlainHandler: (runtimeHandler: string) => boolean, log: Logger) {
    this.#isPlain = isPlainHandler;
    this.#log = log;
  }

  /**
   * False where it cannot be held. Whoever calls sees to it that the container has that pid: containerd says so
   * afterwards as well.
   */
  hold({ id, runtimeHandler }: Pick<Container, 'id' | 'runtimeHandler'>, pid: number): boolean {
    this.release(id);
    if (pid <= 0 || !this.#isPlain(runtimeHandler)) return false;
    try {
      const handle = ProcessHandle.open(pid, id);
      if (handle) this.#held.set(id, handle);
      return handle !== null;
    } catch (err) {
      this.#log.warn({ err, containerId: id, pid }, 'process cannot be held, containerd will signal it');
      return false;
    }
  }

  /**
   * Signals the first process. False where containerd has to do it. One that has ended already is done: its exit is
   * on its way.
   */
  async signal(id: string, signal: number): Promise<boolean> {
    const handle = this.#held.get(id);
    return handle ? await this.#send(id, handle, signal) : false;
  }

  /** Kills all processes of a container, as `signal`. Those that have no pid namespace to themselves need containerd. */
  async kill(id: string): Promise<boolean> {
    const handle = this.#held.get(id);
    return handle?.isNamespaceInit ? await this.#send(id, handle, SIGKILL) : false;
  }

  /** Not held is done. */
  release(id: string): void {
    this.#held.get(id)?.[Symbol.dispose]();
    this.#held.delete(id);
  }

  [Symbol.dispose](): void {
    for (const id of this.#held.keys()) this.release(id);
  }

  async #send(containerId: string, handle: ProcessHandle, signal: number): Promise<boolean> {
    return await span('signal', `${signal}`, async (own) => {
      const isThere = handle.signal(signal);
      own?.set('found', isThere);
      return true;
    }).catch((err: unknown) => {
      this.#log.warn({ err, containerId, signal }, 'process cannot be signalled, containerd will do it');
      return false;
    });
  }
}
