import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bringUp, takeDown } from '../pods.ts';
import type { Scene, Turn } from '../scene.ts';
import { inTurns } from '../scene.ts';
import type { Bench } from '../sides.ts';
import { add } from '../times.ts';

const LINE = 'x'.repeat(63);
const LINES = 1_000_000;
/** The last line, which tells that all was written. */
const LAST = 'that is all';

export const logs: Scene = {
  name: 'logs',
  what: "A million lines of 64 bytes from a container to its log file, in MiB of the container's output a second. A lost line ends the run.",
  async play(stage, bench) {
    await inTurns(stage, { rounds: 5, warmUp: 1 }, (turn) => oneLog(bench, turn));
  },
};

async function oneLog(bench: Bench, { side, round, times }: Turn): Promise<void> {
  const name = `log-${side}-${round}`;
  // It begins when told, so that the start of the container is not a part of it.
  const script = `while [ ! -e /go ]; do sleep 0.01; done; yes ${LINE} | head -n ${LINES}; echo ${LAST}; sleep 3600`;
  const pod = await bringUp(bench, { side, name, command: ['sh', '-c', script] });
  const { runtime } = bench.sides[side].client;
  await runtime.execSync({ containerId: pod.containerId, cmd: ['touch', '/go'], timeout: 10 });
  const start = performance.now();
  const log = join(bench.dir, 'logs', `${name}.log`);
  while (!endOf(log).endsWith(`${LAST}\n`)) {
    if (performance.now() - start > 120_000) throw new Error(`${side}: its log ends with ${endOf(log)}`);
    await sleep(5);
  }
  const seconds = (performance.now() - start) / 1000;
  const lines = readFileSync(log).filter((byte) => byte === 10).length;
  if (lines !== LINES + 1) throw new Error(`${side}: ${lines} lines in the log`);
  add(times[side], 'log lines of 64 bytes', (LINES * 64) / 2 ** 20 / seconds);
  await takeDown(bench, { side, name }, pod);
}

function endOf(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const tail = Buffer.alloc(LAST.length + 1);
    const { size } = fstatSync(fd);
    return tail.toString('utf8', 0, readSync(fd, tail, 0, tail.length, Math.max(0, size - tail.length)));
  } finally {
    closeSync(fd);
  }
}
