import { readdir, rmdir, unlink } from 'node:fs/promises';

import type { Logger } from 'pino';

import { allSettled } from '../lib/all-settled.ts';
import { Fault } from '../lib/fault.ts';
import type { IdMappings } from '../lib/id-mappings.ts';
import { span } from '../lib/trace.ts';
import { hostFault, isErrno } from './errno.ts';
import { unmount } from './mounts.ts';
import type { NamespaceCalls, PinOrder } from './namespaces-worker.ts';
import { planDefaults, planSysctls } from './sysctls.ts';
import { withUserNamespace } from './user-namespace.ts';
import { WorkerCalls } from './worker-calls.ts';

/** HOST_NAME_MAX of Linux, in bytes. */
const MAX_HOSTNAME = 64;

/** Which namespaces to make and pin, and what to set in them. Where a kind is false, none is made. */
export interface PinRequest {
  dir: string;
  network: boolean;
  ipc: boolean;
  uts: boolean;
  hostname: string;
  sysctls: Record<string, string>;
  /** Set where neither `sysctls` has them nor the host's namespace is used, and where the kernel has them. */
  defaultSysctls?: Record<string, string>;
  /** Of a user namespace that is made and pinned too, as `dir`/user, and that owns the others; null for none. */
  ids: IdMappings | null;
}

/** Makes namespaces that no process holds: they live as long as their pins, through our restarts. */
export interface NamespaceThread extends AsyncDisposable {
  /**
   * Makes `dir`/user, `dir`/net, `dir`/ipc and `dir`/uts as asked, with `lo` up. Rejects with `invalid_argument`
   * for sysctls that are not the pod's to set, `already_exists` where a pin is there already. A
   * rejected pin leaves nothing.
   */
  pin(request: PinRequest): Promise<void>;
  /** Removes whatever of the four pins is there, and `dir` when nothing else is in it. Idempotent. */
  unpin(dir: string): Promise<void>;
  /**
   * Makes a non-blocking TCP socket in the network namespace at path `netns`. Answers its descriptor,
   * which the caller owns and which Node knows nothing of until a net.Socket takes it.
   */
  openSocket(netns: string, family: 4 | 6): Promise<number>;
  /** The text of /proc/net/dev in each of these network namespaces, null for one that is gone. */
  netDev(netnsPaths: string[]): Promise<(string | null)[]>;
}

/** The files that namespaces are pinned on. */
const PINS = new Set(['user', 'net', 'ipc', 'uts']);

/** Namespaces that are visited before another call gets its turn: one visit takes some 35 µs. */
const VISITS = 64;

/** Starts the thread; resolves when it is ready. */
export async function startNamespaceThread(log: Logger): Promise<NamespaceThread> {
  const calls = new WorkerCalls<NamespaceCalls>(new URL('namespaces-worker.ts', import.meta.url), log);
  await calls.call('ready', undefined);

  // One at a time: should the thread end in the middle of one, the others go to the next thread.
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const inTurn = <T>(name: keyof NamespaceCalls, act: () => Promise<T>): Promise<T> => {
    const before = tail;
    const turn = (waiting === 0 ? before : span('wait', 'namespace thread', () => before)).then(() =>
      span('namespaces', name, act),
    );
    waiting++;
    tail = turn.catch(() => {}).finally(() => waiting--); // its caller gets the error
    return turn;
  };

  return {
    async pin(request) {
      const order = orderFor(request);
      const pin = (from: number) => inTurn('pin', () => calls.call('pin', { ...order, from }));
      await (request.ids ? withUserNamespace(request.ids, order.kinds, pin) : pin(0));
    },
    async unpin(dir) {
      await span('namespaces', 'unpin', () => unpin(dir));
    },
    async netDev(netnsPaths) {
      const texts: (string | null)[] = [];
      for (let start = 0; start < netnsPaths.length; start += VISITS) {
        const some = netnsPaths.slice(start, start + VISITS);
        texts.push(...(await inTurn('netDev', () => calls.call('netDev', some))));
      }
      return texts;
    },
    openSocket: (netns, family) => inTurn('openSocket', () => calls.call('openSocket', { netns, family })),
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/**
 * This needs no thread in particular. After each unmount the kernel waits for every processor, which unmounts side by
 * side do together.
 */
async function unpin(dir: string): Promise<void> {
  try {
    const names = (await readdir(dir)).filter((name) => PINS.has(name));
    await allSettled(names.map((name) => unpinOne(`${dir}/${name}`)));
    await rmdir(dir);
  } catch (error) {
    // A directory that holds something else is its owner's, and stays.
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ENOTEMPTY'))
      throw hostFault(`unpin namespaces in ${dir}`, error);
  }
}

async function unpinOne(path: string): Promise<void> {
  await unmount(path);
  await unlink(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
}

/** What the thread has to do, or a Fault for what it must not. */
function orderFor(request: PinRequest): Omit<PinOrder, 'from'> {
  const { dir, network, ipc, uts, hostname } = request;
  if (uts && Buffer.byteLength(hostname) > MAX_HOSTNAME) {
    throw new Fault('invalid_argument', `host name ${hostname} is longer than ${MAX_HOSTNAME} bytes`);
  }
  const wanted: [PinOrder['kinds'][number], boolean][] = [
    ['net', network],
    ['ipc', ipc],
    ['uts', uts],
  ];
  const own = { network, ipc, uts };
  const asked = planSysctls(request.sysctls, own);
  return {
    dir,
    kinds: wanted.filter(([, isWanted]) => isWanted).map(([kind]) => kind),
    hostname,
    sysctls: [...planDefaults(request.defaultSysctls ?? {}, own, asked), ...asked],
  };
}
