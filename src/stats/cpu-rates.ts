/** Processor time used up to a moment. The moment is of a clock that never goes back, in milliseconds. */
export interface CpuSample {
  atMs: number;
  usageNs: bigint;
}

/** The shortest time that a rate is taken over: in less, the kernel's own granularity shows. */
export const MIN_WINDOW_MS = 1_000;

interface Kept {
  newest: CpuSample;
  /** At least the shortest window older than `newest`. */
  before: CpuSample | null;
}

/**
 * How much processor each cgroup uses at present. A rate is taken from a sample at least one window old, and
 * every sample counts, whoever took it: many callers a second still get rates over a whole window, and a rare
 * one gets it since the last that the collector took by itself.
 */
export class CpuRates {
  readonly #kept = new Map<string, Kept>();

  /** The rate until this sample in nanoseconds a second; null when nothing older is known to compare with. */
  observe(id: string, sample: CpuSample): bigint | null {
    const kept = this.#kept.get(id);
    // A cgroup that was made anew begins at zero.
    if (!kept || sample.usageNs < kept.newest.usageNs) {
      this.#kept.set(id, { newest: sample, before: null });
      return null;
    }
    const isNext = sample.atMs - kept.newest.atMs >= MIN_WINDOW_MS;
    if (isNext) this.#kept.set(id, { newest: sample, before: kept.newest });
    const base = isNext ? kept.newest : kept.before;
    return base && rateBetween(base, sample);
  }

  /** Forgets all but these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#kept.keys()) if (!ids.has(id)) this.#kept.delete(id);
  }
}

function rateBetween(from: CpuSample, to: CpuSample): bigint {
  return BigInt(Math.round((Number(to.usageNs - from.usageNs) * 1_000) / (to.atMs - from.atMs)));
}
