import { bringUp, takeDown } from '../pods.ts';
import type { Scene } from '../scene.ts';
import { inTurns } from '../scene.ts';
import { timed } from '../times.ts';

export const onePod: Scene = {
  name: 'one-pod',
  what: 'One pod up, a command in it, and down again; nothing else runs meanwhile.',
  async play(stage, bench) {
    await inTurns(stage, { rounds: 50, warmUp: 5 }, async ({ side, round, times }) => {
      const wish = { side, name: `one-${round}`, times };
      const pod = await bringUp(bench, wish);
      const { runtime } = bench.sides[side].client;
      const command = { containerId: pod.containerId, cmd: ['true'], timeout: 10 };
      await timed(times[side], 'ExecSync of true', () => runtime.execSync(command));
      await takeDown(bench, wish, pod);
    });
  },
};
