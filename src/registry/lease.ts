import type { Logger } from 'pino';
import type { Containerd } from '../containerd/client.ts';
import { isAlive } from '../host/process-tree.ts';
import { newId } from '../lib/id.ts';

/** Keeps what one pull has made so far from garbage collection. */
export interface HeldLease extends AsyncDisposable {
  readonly id: string;
}

/** Followed by the pid of the process that holds it: the daemon, or a command beside it. */
const PREFIX = 'cristal-image-';

/** After this time containerd drops the lease of a cristal that died, in milliseconds. */
const EXPIRY_MS = 24 * 60 * 60 * 1000;
const RELEASE_MS = 30_000;

/** Use with `await using`. What no image refers to when the lease ends is garbage. */
export async function holdLease(
  { leases }: Pick<Containerd, 'leases'>,
  log: Logger,
  signal: AbortSignal,
): Promise<HeldLease> {
  const id = `${PREFIX}${process.pid}-${newId()}`;
  const expiry = new Date(Date.now() + EXPIRY_MS).toISOString();
  await leases.create(id, { 'containerd.io/gc.expire': expiry }, { signal });
  return {
    id,
    async [Symbol.asyncDispose]() {
      try {
        await leases.delete(id, {}, { timeoutMs: RELEASE_MS });
      } catch (err) {
        log.warn({ err, lease: id }, 'image lease not released; it expires in a day');
      }
    },
  };
}

/** The leases of pulls whose process is gone. */
export async function deadLeases({ leases }: Pick<Containerd, 'leases'>): Promise<string[]> {
  const all = await leases.list([`id~=^${PREFIX}`]);
  return all.map(({ id }) => id).filter((id) => !isAlive(holderOf(id)));
}

function holderOf(id: string): number {
  return Number(id.slice(PREFIX.length).split('-')[0]);
}

/**
 * Drops the leases of pulls that died with their process. Only before the first pull of this one: a
 * lease with our own pid is then one of an earlier cristal that had the same.
 */
export async function dropStaleLeases({ leases }: Pick<Containerd, 'leases'>, log: Logger): Promise<void> {
  for (const { id } of await leases.list([`id~=^${PREFIX}`])) {
    const pid = holderOf(id);
    if (pid !== process.pid && isAlive(pid)) continue;
    log.info({ lease: id }, 'drop the lease of an unfinished pull');
    await leases.delete(id);
  }
}
