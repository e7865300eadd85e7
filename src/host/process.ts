import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Ending } from './child.ts';
import { Child } from './child.ts';
import { isErrno } from './errno.ts';

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
 * Runs a program in a process group of its own, without a shell. At `timeoutMs`, or when `signal`
 * fires, the whole group is killed and reaped before the promise rejects with `deadline_exceeded`
 * or `cancelled`. Any exit of the program itself, good or bad, is a result and not an error.
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  if (request.signal?.aborted) throw new Fault('cancelled', `run ${request.file}: cancelled`);
  const child = start(request);
  const limit = request.maxOutput ?? DEFAULT_MAX_OUTPUT;
  const stdout = keepHead(child.stdout, limit);
  const stderr = keepHead(child.stderr, limit);

  // A program may end without reading its input. That is its right, and its exit code tells more.
  child.stdin.on('error', () => {});
  child.stdin.end(request.stdin ?? '');

  const killed = killWhenLate(child, request);
  try {
    const ending = await child.ended;
    const late = killed.reason();
    if (late !== null) throw late;
    await outputsClosed(child);
    return { ...ending, stdout: stdout(), stderr: stderr() };
  } finally {
    killed.stop();
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  }
}

function start({ file, args = [], env = {} }: ProcessRequest): Child {
  try {
    return new Child(file, args, env);
  } catch (cause) {
    const code = isErrno(cause, 'ENOENT') ? 'not_found' : 'internal';
    throw new Fault(code, `run ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** Collects the first `limit` bytes and goes on reading, so that the program never blocks on us. */
function keepHead(stream: NodeJS.ReadableStream, limit: number): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, limit - size);
    if (kept.length > 0) chunks.push(kept);
    size += kept.length;
  });
  return () => Buffer.concat(chunks);
}

function killWhenLate(child: Child, request: ProcessRequest): { reason(): Fault | null; stop(): void } {
  const { file, timeoutMs, signal } = request;
  let reason: Fault | null = null;
  const stop = (why: Fault) => {
    if (child.ending !== null) return; // only its output is late, and the result is there
    reason ??= why;
    child.kill();
  };
  const onAbort = () => stop(new Fault('cancelled', `run ${file}: cancelled`, { cause: signal?.reason }));
  const timer = setTimeout(
    () => stop(new Fault('deadline_exceeded', `run ${file}: no end after ${timeoutMs} ms`)),
    timeoutMs,
  );
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    reason: () => reason,
    stop: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}

/** Resolves when nothing more can come, or after a second. */
async function outputsClosed({ stdout, stderr }: Child): Promise<void> {
  const open = [stdout, stderr].filter((stream) => !stream.closed);
  const closed = Promise.all(open.map((stream) => once(stream, 'close')));
  const over = new AbortController();
  const grace = sleep(OUTPUT_GRACE_MS, undefined, { signal: over.signal }).catch(() => {});
  await Promise.race([closed, grace]);
  over.abort();
}
