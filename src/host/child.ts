import { Socket } from 'node:net';
import { constants } from 'node:os';
import { close, pipe, reap, spawnProcess } from './syscalls.ts';

// Node starts programs by fork(2), which copies the page tables of all our memory while everything else waits:
// 6 ms at 150 MiB and 13 ms at 250, for each CNI plugin. posix_spawn(3) takes a fifth of a millisecond.

/** How a program ended. `code` is null when a signal ended it. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Children that run, by process id. The kernel tells the process as a whole that one ended, hence one map. */
const running = new Map<number, Child>();

/** A program that was started, in a session and process group of its own. */
export class Child {
  readonly pid: number;
  readonly stdin: Socket;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** Resolves when it was reaped. Its output may still be on its way. */
  readonly ended: Promise<Ending>;
  readonly #end: (ending: Ending) => void;
  #ending: Ending | null = null;

  /**
   * Starts it. Its environment is `env` and no more.
   * @throws Error with `code`, such as ENOENT when there is no such program
   */
  constructor(file: string, args: string[], env: Record<string, string>) {
    using theirs = new DisposableStack();
    using ours = new DisposableStack();
    const [stdin, input] = openPipe(theirs, ours);
    const [output, stdout] = openPipe(ours, theirs);
    const [errors, stderr] = openPipe(ours, theirs);
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    this.pid = spawnProcess(file, { args, env: variables, fds: [stdin, stdout, stderr] });
    ours.move(); // from here on the streams close them

    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ended = promise;
    this.#end = resolve;
    if (running.size === 0) process.on('SIGCHLD', reapAll);
    running.set(this.pid, this);
    this.stdin = new Socket({ fd: input, readable: false, writable: true });
    this.stdout = new Socket({ fd: output, readable: true, writable: false });
    this.stderr = new Socket({ fd: errors, readable: true, writable: false });
    // It may have ended before anybody listened for it.
    this.look();
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

  /** Notes its end, if it has come. */
  look(): void {
    const status = reap(this.pid);
    if (status === null) return;
    running.delete(this.pid);
    if (running.size === 0) process.off('SIGCHLD', reapAll);
    this.#ending = endingFrom(status);
    this.#end(this.#ending);
  }
}

/** One signal may stand for the end of several. */
function reapAll(): void {
  for (const child of running.values()) child.look();
}

/** Reads a wait status; see wait(2). */
export function endingFrom(status: number): Ending {
  const number = status & 0x7f;
  if (number === 0) return { code: (status >> 8) & 0xff, signal: null };
  const named = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return { code: null, signal: (named ?? `SIG${number}`) as NodeJS.Signals };
}

/** Opens a pipe whose end to read the first stack closes, and the end to write the second. */
function openPipe(reader: DisposableStack, writer: DisposableStack): [number, number] {
  const [read, write] = pipe();
  return [reader.adopt(read, close), writer.adopt(write, close)];
}
