import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Ending } from './child.ts';
import { Child } from './child.ts';
import { isErrno } from './errno.ts';
import { OutputPipe } from './output-pipe.ts';
import { close, memoryFile } from './syscalls.ts';

/** One run of a program, in the directory "/". Nothing is inherited: the environment is `env` and no more. */
export interface ProcessRequest {
  /** Without a "/" it is looked for in our PATH. */
  file: string;
  args?: string[];
  env?: Record<string, string>;
  stdin?: string | Uint8Array;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Bytes kept of each of stdout and stderr. What comes after them is read and dropped. */
  maxOutput?: number;
}

/** How it ended, and what it said. */
export interface ProcessResult extends Ending {
  stdout: Buffer;
  stderr: Buffer;
}

const DEFAULT_MAX_OUTPUT = 1024 * 1024;

/** How long output may stay open after the end: a grandchild can hold the pipe for ever. */
const OUTPUT_GRACE_MS = 1000;

/**
 * When we first look at the output of a program that runs, and how long we leave it then at most. Most have ended
 * before the first look. One that fills its pipe waits for us no longer than this.
 */
const FIRST_LOOK_MS = 20;
const MAX_LOOK_MS = 50;

/**
 * Runs a program in a process group of its own, without a shell. At `timeoutMs`, or when `signal`
 * fires, the whole group is killed and reaped before the promise rejects with `deadline_exceeded`
 * or `cancelled`. Any exit of the program itself, good or bad, is a result and not an error.
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  if (request.signal?.aborted) throw new Fault('cancelled', `run ${request.file}: cancelled`);
  const limit = request.maxOutput ?? DEFAULT_MAX_OUTPUT;
  using stdout = new OutputPipe(limit);
  using stderr = new OutputPipe(limit);
  const outputs = [stdout, stderr];
  using killer = new LateKiller(request);
  const child = await start(request, outputs);
  killer.watch(child);
  using _looking = lookNowAndThen(outputs);

  const ending = await child.ended;
  if (killer.reason !== null) throw killer.reason;
  await readToEnd(outputs);
  return { ...ending, stdout: stdout.bytes(), stderr: stderr.bytes() };
}

async function start(request: ProcessRequest, outputs: OutputPipe[]): Promise<Child> {
  const { file, args = [], env = {}, stdin = '' } = request;
  using theirs = new DisposableStack();
  theirs.defer(() => outputs.forEach((output) => output.closeWriter()));
  try {
    // From a file a program reads at its own pace, and may leave what it does not want.
    const input = theirs.adopt(memoryFile(), close);
    if (stdin.length > 0) fillFile(input, typeof stdin === 'string' ? Buffer.from(stdin) : stdin);
    const [stdout, stderr] = outputs.map(({ writer }) => writer) as [number, number];
    return await Child.start(file, { args, env, stdio: [input, stdout, stderr] });
  } catch (cause) {
    const code = isErrno(cause, 'ENOENT') ? 'not_found' : 'internal';
    throw new Fault(code, `run ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** Writes at the file's beginning, where the program then starts to read. */
function fillFile(fd: number, data: Uint8Array): void {
  let written = 0;
  while (written < data.length) written += writeSync(fd, data, written, data.length - written, written);
}

/** Kills a program, with its group, when its time is up or its caller has gone. It may not have started yet. */
class LateKiller implements Disposable {
  readonly #request: ProcessRequest;
  readonly #timer: NodeJS.Timeout;
  #child: Child | null = null;
  #reason: Fault | null = null;

  constructor(request: ProcessRequest) {
    const { file, timeoutMs, signal } = request;
    this.#request = request;
    this.#timer = setTimeout(() => {
      this.#stop(new Fault('deadline_exceeded', `run ${file}: no end after ${timeoutMs} ms`));
    }, timeoutMs);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Why it was killed, null where it was not. */
  get reason(): Fault | null {
    return this.#reason;
  }

  watch(child: Child): void {
    this.#child = child;
    if (this.#reason !== null) child.kill();
  }

  readonly #onAbort = (): void => {
    const { file, signal } = this.#request;
    this.#stop(new Fault('cancelled', `run ${file}: cancelled`, { cause: signal?.reason }));
  };

  #stop(why: Fault): void {
    if (this.#child?.ending) return; // only its output is late, and the result is there
    this.#reason ??= why;
    this.#child?.kill();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener('abort', this.#onAbort);
  }
}

/** Keeps a program that runs from waiting for room in a pipe: soon again while it writes, seldom while it does not. */
function lookNowAndThen(outputs: OutputPipe[]): Disposable {
  let timer = setTimeout(look, FIRST_LOOK_MS, FIRST_LOOK_MS);
  function look(waitedMs: number): void {
    const nextMs = readAll(outputs) ? 1 : Math.min(waitedMs * 2, MAX_LOOK_MS);
    timer = setTimeout(look, nextMs, nextMs);
  }
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Reads what an ended program left. What a child of it may still write is waited for, but not for long. */
async function readToEnd(outputs: OutputPipe[]): Promise<void> {
  const until = performance.now() + OUTPUT_GRACE_MS;
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, MAX_LOOK_MS)) {
    readAll(outputs);
    if (outputs.every(({ isAtEnd }) => isAtEnd) || performance.now() >= until) return;
    await sleep(waitMs);
  }
}

/** Answers whether there was anything. */
function readAll(outputs: OutputPipe[]): boolean {
  return outputs.map((output) => output.read()).includes(true);
}
