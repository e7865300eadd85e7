import { Fault } from '../lib/fault.ts';

/** Ends a transfer that makes no progress, however long it takes as a whole. Use with `using`. */
export interface StallTimer extends Disposable {
  /** Fires with `parent`, or when `ms` have passed since the last progress. */
  readonly signal: AbortSignal;
  progress(): void;
}

export function startStallTimer(what: string, ms: number, parent: AbortSignal): StallTimer {
  const stalled = new AbortController();
  const timer = setTimeout(() => {
    const message = `RegistryUnavailable: ${what}: no data for ${ms / 1000} s`;
    stalled.abort(new Fault('unavailable', message));
  }, ms);
  return {
    signal: AbortSignal.any([parent, stalled.signal]),
    progress: () => void timer.refresh(),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
