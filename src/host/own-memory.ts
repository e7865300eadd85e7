import { trimHeap } from './syscalls.ts';

/** What this process has in RAM, in bytes: that of the programs it runs is shared with others. */
export function residentBytes(): number {
  return process.memoryUsage.rss();
}

/**
 * Gives the kernel back what this process does not use. Takes some tens of milliseconds, in which nobody is
 * served: a full collection, if Node was started so that it can be asked for.
 */
export async function giveBackMemory(): Promise<void> {
  globalThis.gc?.();
  await trimHeap();
}
