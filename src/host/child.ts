import { constants } from 'node:os';
import { reap, spawnProcess } from './syscalls.ts';

// Node starts programs by fork(2), which copies the page tables of all our memory while everything else waits:
// 6 ms at 150 MiB and 13 ms at 250, for each CNI plugin. posix_spawn(3) takes a fifth of a millisecond, in another
// thread.

/** How a program ended. `code` is null when a signal ended it. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The descriptors of a program's standard input, output and error. */
export type Stdio = readonly [number, number, number];

/** Children that run, by process id. The kernel tells the process as a whole that one ended, hence one map. */
const running = new Map<number, Child>();

/** Stays once it was needed: to take a signal's handler away and set it again costs more than the call. */
let isListening = false;

/** A program that was started, in a session and process group of its own. */
export class Child {
  readonly pid: number;
  /** Resolves when it was reaped. There may still be output of it that nobody read. */
  readonly ended: Promise<Ending>;
  readonly #end: (ending: Ending) => void;
  #ending: Ending | null = null;

  private constructor(pid: number) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.pid = pid;
    this.ended = promise;
    this.#end = resolve;
  }

  /**
   * Starts it. Its environment is `env` and no more. `stdio` must stay open until this resolves, and is the
   * caller's to close then.
   * @throws Error with `code`, such as ENOENT when there is no such program
   */
  static async start(
    file: string,
    { args, env, stdio }: { args: string[]; env: Record<string, string>; stdio: Stdio },
  ): Promise<Child> {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    if (!isListening) process.on('SIGCHLD', reapAll);
    isListening = true;
    const child = new Child(await spawnProcess(file, { args, env: variables, fds: stdio }));
    running.set(child.pid, child);
    // It may have ended before we knew of it.
    child.#look();
    return child;
  }

  /** Null until it is reaped; so long is the process id its own. */
  get ending(): Ending | null {
    return this.#ending;
  }

  /** Ends its process group, unless it has ended itself. */
  kill(): void {
    if (this.#ending !== null) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch (error) {
      // ESRCH: the group went between our look and the kill.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** One signal may stand for the end of several. */
  static lookAtAll(): void {
    for (const child of running.values()) child.#look();
  }

  /** Notes its end, if it has come. */
  #look(): void {
    const status = reap(this.pid);
    if (status === null) return;
    running.delete(this.pid);
    this.#ending = endingFrom(status);
    this.#end(this.#ending);
  }
}

function reapAll(): void {
  Child.lookAtAll();
}

/** Reads a wait status; see wait(2). */
export function endingFrom(status: number): Ending {
  const number = status & 0x7f;
  if (number === 0) return { code: (status >> 8) & 0xff, signal: null };
  const named = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return { code: null, signal: (named ?? `SIG${number}`) as NodeJS.Signals };
}
