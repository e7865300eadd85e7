import { atATime, bringUp, takeDown } from '../pods.ts';
import type { Bench, SideName } from '../sides.ts';
import { SIDES } from '../sides.ts';
import type { Times } from '../times.ts';
import { add, noTimes } from '../times.ts';

const ROUNDS = 5;
const WARM_UP = 1;
const PODS = 30;
const WIDTH = 10;

/** Thirty pods up and down, ten at a time: what the machine's processors allow. */
export async function tenPods(bench: Bench, all: Times): Promise<void> {
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const side of SIDES) await oneRound(bench, { side, round, times: round < 0 ? noTimes() : all });
  }
}

async function oneRound(
  bench: Bench,
  { side, round, times }: { side: SideName; round: number; times: Times },
): Promise<void> {
  const wishes = Array.from({ length: PODS }, (_, place) => ({
    side,
    name: `ten-${round + WARM_UP}-${place}`,
  }));
  const rate = async <T>(label: string, act: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await act();
    add(times[side], label, (1000 * PODS) / (performance.now() - start));
    return result;
  };
  const up = await rate('pods up, 10 at a time', () =>
    atATime(wishes, WIDTH, (wish) => bringUp(bench, wish)),
  );
  const both = wishes.map((wish, place) => ({ wish, pod: up[place] }));
  await rate('pods down, 10 at a time', () =>
    atATime(both, WIDTH, async ({ wish, pod }) => {
      if (pod) await takeDown(bench, wish, pod);
    }),
  );
}
