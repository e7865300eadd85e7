import { bringUp, takeDown } from '../pods.ts';
import type { Bench } from '../sides.ts';
import { SIDES } from '../sides.ts';
import type { Times } from '../times.ts';
import { noTimes, timed } from '../times.ts';

const ROUNDS = 30;
const WARM_UP = 3;

/** One pod up, a command in it, and down again; nothing else runs meanwhile. */
export async function onePod(bench: Bench, all: Times): Promise<void> {
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const times = round < 0 ? noTimes() : all;
    for (const side of SIDES) {
      const wish = { side, name: `one-${round + WARM_UP}`, times };
      const pod = await bringUp(bench, wish);
      const { runtime } = bench.sides[side].client;
      const command = { containerId: pod.containerId, cmd: ['true'], timeout: 10 };
      await timed(times[side], 'ExecSync of true', () => runtime.execSync(command));
      await takeDown(bench, wish, pod);
    }
  }
}
