import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bringUp, takeDown } from '../pods.ts';
import type { Bench, SideName } from '../sides.ts';
import { SIDES } from '../sides.ts';
import type { Times } from '../times.ts';
import { add, noTimes } from '../times.ts';

const ROUNDS = 3;
const WARM_UP = 1;
const LINE = 'x'.repeat(63);
const LINES = 1_000_000;
/** The last line, which tells that all was written. */
const LAST = 'that is all';

/** A million lines of 64 bytes from a container to its log file, in MiB of the container's output a second. */
export async function logLines(bench: Bench, all: Times): Promise<void> {
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const side of SIDES) await oneLog(bench, { side, round, times: round < 0 ? noTimes() : all });
  }
}

async function oneLog(
  bench: Bench,
  { side, round, times }: { side: SideName; round: number; times: Times },
): Promise<void> {
  const name = `log-${side}-${round + WARM_UP}`;
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
