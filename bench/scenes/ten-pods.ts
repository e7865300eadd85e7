import { atATime, bringUp, takeDown } from '../pods.ts';
import type { Scene, Turn } from '../scene.ts';
import { inTurns } from '../scene.ts';
import type { Bench } from '../sides.ts';
import { add } from '../times.ts';

const PODS = 30;
const WIDTH = 10;

export const tenPods: Scene = {
  name: 'ten-pods',
  what: 'Thirty pods up and down, ten at a time: what the processors allow.',
  async play(stage, bench) {
    await inTurns(stage, { rounds: 5, warmUp: 1 }, (turn) => oneRound(bench, turn));
  },
};

async function oneRound(bench: Bench, { side, round, times }: Turn): Promise<void> {
  const wishes = Array.from({ length: PODS }, (_, place) => ({ side, name: `ten-${round}-${place}` }));
  const rate = async <T>(label: string, act: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await act();
    add(times[side], label, (1000 * PODS) / (performance.now() - start));
    return result;
  };
  const up = await rate('pods up, 10 at a time', () =>
    atATime(wishes, WIDTH, async (wish) => ({ wish, pod: await bringUp(bench, wish) })),
  );
  await rate('pods down, 10 at a time', () =>
    atATime(up, WIDTH, ({ wish, pod }) => takeDown(bench, wish, pod)),
  );
}
