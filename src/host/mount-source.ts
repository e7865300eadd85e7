import { mkdir, realpath } from 'node:fs/promises';

import { during, Fault } from '../lib/fault.ts';
import { isErrno } from './errno.ts';

/**
 * How many look-ups may hang at once before further ones are refused. Each of them occupies a
 * thread of libuv's pool (four, unless UV_THREADPOOL_SIZE says otherwise) for as long as it hangs.
 */
const MAX_HANGING = 2;

const running = new Map<string, Promise<string>>();
const hanging = new Set<string>();

/**
 * The real path of the source of a bind mount. A missing one is made as a directory (0755), as
 * other runtimes do for hostPath volumes. Takes `timeoutMs` at most, then rejects with
 * `deadline_exceeded`; what it cannot resolve is `failed_precondition`. A dead network filesystem
 * must cost its own pod only. A repeat for the same
 * path joins the look-up that hangs.
 */
export async function resolveMountSource(path: string, timeoutMs: number): Promise<string> {
  if (hanging.size >= MAX_HANGING && !running.has(path)) {
    const others = [...hanging].join(', ');
    throw new Fault('deadline_exceeded', `resolve mount source ${path}: still waiting for ${others}`);
  }
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    if (running.has(path)) hanging.add(path);
    reject(new Fault('deadline_exceeded', `resolve mount source ${path}: no answer after ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    return await Promise.race([lookUpOnce(path), late]);
  } finally {
    clearTimeout(timer);
  }
}

function lookUpOnce(path: string): Promise<string> {
  const joined = running.get(path);
  if (joined) return joined;
  const started = lookUp(path).finally(() => {
    running.delete(path);
    hanging.delete(path);
  });
  running.set(path, started);
  return started;
}

async function lookUp(path: string): Promise<string> {
  try {
    try {
      return await realpath(path);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    await mkdir(path, { recursive: true, mode: 0o755 });
    return await realpath(path);
  } catch (error) {
    // Not not_found: the kubelet would take that to be about its pod or container.
    throw during(`resolve mount source ${path}`, error, 'failed_precondition');
  }
}
