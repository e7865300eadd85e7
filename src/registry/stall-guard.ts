import { Fault } from '../lib/fault.ts';

/** Ends a pull that is too slow, however long it takes as a whole. Use with `using`. */
export interface StallGuard extends Disposable {
  /** Fires with its parent, or when too little came for too long. */
  readonly signal: AbortSignal;
  progress(bytes: number): void;
  /** Time counts only while something is watched: neither while we unpack nor while we wait for our turn. */
  watch<T>(work: () => Promise<T>): Promise<T>;
}

export interface Pace {
  /** Over so many milliseconds… */
  ms: number;
  /** …so many bytes a second must come. With 0 any byte will do. */
  minRate: number;
}

export function startStallGuard(what: string, { ms, minRate }: Pace, parent: AbortSignal): StallGuard {
  const stalled = new AbortController();
  const enough = Math.max(1, (minRate * ms) / 1000);
  let received = 0;
  let watched = 0;
  let timer: NodeJS.Timeout | null = null;

  const giveUp = () => {
    const rate = received === 0 ? 'no data' : `under ${minRate} bytes a second`;
    stalled.abort(new Fault('unavailable', `RegistryUnavailable: ${what}: ${rate} for ${ms / 1000} s`));
  };
  const stop = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };

  return {
    signal: AbortSignal.any([parent, stalled.signal]),
    progress(bytes) {
      received += bytes;
      if (received < enough) return;
      received = 0;
      timer?.refresh();
    },
    async watch(work) {
      if (watched++ === 0) {
        received = 0;
        timer = setTimeout(giveUp, ms);
      }
      try {
        return await work();
      } finally {
        if (--watched === 0) stop();
      }
    },
    [Symbol.dispose]: stop,
  };
}
