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

/** The window moves in so many steps: it is never judged by a beginning or an end that nobody chose. */
const STEPS = 20;

export function startStallGuard(what: string, { ms, minRate }: Pace, parent: AbortSignal): StallGuard {
  const stalled = new AbortController();
  const enough = Math.max(1, (minRate * ms) / 1000);
  /** What came in each of the last steps, oldest first. */
  const steps: number[] = [];
  let received = 0;
  let watched = 0;
  let timer: NodeJS.Timeout | null = null;

  const stop = () => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  const step = () => {
    steps.push(received);
    received = 0;
    if (steps.length < STEPS) return;
    const all = steps.reduce((sum, bytes) => sum + bytes, 0);
    steps.shift();
    if (all >= enough) return;
    stop();
    const rate = all === 0 ? 'no data' : `under ${minRate} bytes a second`;
    stalled.abort(new Fault('unavailable', `RegistryUnavailable: ${what}: ${rate} for ${ms / 1000} s`));
  };

  return {
    signal: AbortSignal.any([parent, stalled.signal]),
    progress(bytes) {
      received += bytes;
    },
    async watch(work) {
      if (watched++ === 0) {
        steps.splice(0);
        received = 0;
        timer = setInterval(step, ms / STEPS);
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
