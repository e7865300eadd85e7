import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long, in milliseconds, synchronous work may keep the event loop from everybody else. */
const TURN_MS = 5;

/** Divides long synchronous work: ask `over` after each bounded piece, and await `next` when it is. */
export class Turns {
  #start = performance.now();

  over(): boolean {
    return performance.now() - this.#start >= TURN_MS;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#start = performance.now();
  }
}
