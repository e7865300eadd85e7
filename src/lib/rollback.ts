import { setTimeout as sleep } from 'node:timers/promises';
import { isCode } from './fault.ts';

/** Takes back one step. Must treat "already gone" as done: it may run although its step never did. */
export type Undo = (signal: AbortSignal) => unknown;

/** Told of the undo that failed, and so of what is still held. Must not throw. */
export type OnStuck = (step: string, error: unknown) => unknown;

/** How long all undos of one rollback may take together, in milliseconds. */
const ROLLBACK_MS = 60_000;

/** An undo that finds its service away is tried again: a restart takes a moment. In milliseconds. */
const RETRY_FOR_MS = 5_000;
const RETRY_PAUSE_MS = 100;

/**
 * The undos of a call that acts in steps, run in reverse unless `commit()` was reached.
 * Use with `await using`, so that every way out of the call passes through it.
 */
export class Rollback implements AsyncDisposable {
  #undos: { step: string; undo: Undo }[] = [];
  readonly #onStuck: OnStuck;

  constructor(onStuck: OnStuck) {
    this.#onStuck = onStuck;
  }

  /** Comes before the step it undoes: a step can fail towards us and still have happened. */
  onFailure(step: string, undo: Undo): void {
    this.#undos.unshift({ step, undo });
  }

  commit(): void {
    this.#undos = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#undos.length === 0) return;
    // Not the caller's signal. It has often fired by now, and is why we are here.
    const signal = AbortSignal.timeout(ROLLBACK_MS);
    for (const { step, undo } of this.#undos) {
      try {
        await insist(undo, signal);
      } catch (error) {
        await this.#onStuck(step, error);
        return; // older resources carry this one: stop here
      }
    }
  }
}

async function insist(undo: Undo, signal: AbortSignal): Promise<void> {
  const end = performance.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      await undo(signal);
      return;
    } catch (error) {
      if (!isCode(error, 'unavailable') || performance.now() > end) throw error;
    }
    await sleep(RETRY_PAUSE_MS);
  }
}
