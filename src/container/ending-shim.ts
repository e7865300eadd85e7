import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../store/containers.ts';
import type { Sandbox } from '../store/sandboxes.ts';

/** How long after the end of its last container a pod's shim may still be there, in nanoseconds. */
const ENDING_NS = 5_000_000_000n;

const RETRIES = 2;
const PAUSE_MS = 200;

type Neighbour = Pick<Container, 'id' | 'state' | 'finishedAt'>;

/**
 * Whether the shim that the containers of a pod share may be about to end: it does with its last task, unless a
 * pause container keeps it. Whoever makes a task in that moment reaches a shim that is no more.
 */
export function shimMayBeEnding(
  { pid }: Pick<Sandbox, 'pid'>,
  others: readonly Neighbour[],
  now: bigint,
): boolean {
  if (pid > 0 || others.some(({ state }) => state === 'running')) return false;
  return others.some(({ state, finishedAt }) => state === 'exited' && now - finishedAt < ENDING_NS);
}

/** Tries again, twice at most, what failed while `mayBeEnding`: by then the old shim is gone. */
export async function outliveShim<T>(
  act: () => Promise<T>,
  { mayBeEnding, signal }: { mayBeEnding: boolean; signal: AbortSignal },
): Promise<T> {
  for (let retries = mayBeEnding ? RETRIES : 0; ; retries--) {
    try {
      return await act();
    } catch (error) {
      if (retries === 0 || signal.aborted) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}
