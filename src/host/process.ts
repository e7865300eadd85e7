import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';

import { Fault } from '../lib/fault.ts';

/** One run of a program. Nothing is inherited: the environment is `env` and no more. */
export interface ProcessRequest {
  file: string;
  args?: string[];
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string | Uint8Array;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Bytes kept of each of stdout and stderr. What comes after them is read and dropped. */
  maxOutput?: number;
}

/** How it ended. `code` is null when a signal ended it. */
export interface ProcessResult {
  code: number | null;
  signal: NodeJS.Signals | null;
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
  const child = spawn(request.file, request.args ?? [], {
    env: request.env ?? {},
    cwd: request.cwd ?? '/',
    detached: true, // its own group, which is what gets killed
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const limit = request.maxOutput ?? DEFAULT_MAX_OUTPUT;
  const stdout = keepHead(child.stdout, limit);
  const stderr = keepHead(child.stderr, limit);

  // A program may end without reading its input. That is its right, and its exit code tells more.
  child.stdin.on('error', () => {});
  child.stdin.end(request.stdin ?? '');

  const killed = killWhenLate(child, request);
  try {
    const { code, signal } = await ended(child, request.file);
    const late = killed.reason();
    if (late !== null) throw late;
    return { code, signal, stdout: stdout(), stderr: stderr() };
  } finally {
    killed.stop();
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

function killWhenLate(
  child: ChildProcess,
  request: ProcessRequest,
): { reason(): Fault | null; stop(): void } {
  const { file, timeoutMs, signal } = request;
  let reason: Fault | null = null;
  const stop = (why: Fault) => {
    if (hasEnded(child)) return; // only its output is late, and the result is there
    reason ??= why;
    killGroup(child);
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

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: the group went between our look and the kill.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Settles when the program was reaped and its output is closed, or a second after the former. */
function ended(
  child: ChildProcess,
  file: string,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    let grace: NodeJS.Timeout | undefined;
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'ENOENT' ? 'not_found' : 'internal';
      reject(new Fault(code, `run ${file}: ${cause.message}`, { cause }));
    });
    child.once('exit', (code, signal) => {
      grace = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve({ code, signal });
      }, OUTPUT_GRACE_MS);
    });
    child.once('close', (code, signal) => {
      clearTimeout(grace);
      resolve({ code, signal });
    });
  });
}
