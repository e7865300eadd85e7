/** Steps that go on side by side until the first of them fails. */
export interface FirstFailure {
  /** Fires when a step has failed, or with the signal from outside. */
  readonly signal: AbortSignal;
  /** Runs along. A failure ends all steps, each of which then throws the first one's reason. */
  readonly step: <T>(work: Promise<T>) => Promise<T>;
}

export function createFirstFailure(outside: AbortSignal): FirstFailure {
  const failed = new AbortController();
  return {
    signal: AbortSignal.any([outside, failed.signal]),
    step: async (work) => {
      try {
        return await work;
      } catch (error) {
        // An end that came from outside has words of its own, which every step reports in others.
        failed.abort(outside.aborted ? outside.reason : error);
        throw failed.signal.reason;
      }
    },
  };
}
