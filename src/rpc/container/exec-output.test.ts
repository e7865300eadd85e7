import { expect, test } from 'vitest';
import { cutToFit, OUTPUT_LIMIT } from './exec-output.ts';

const ROOM = OUTPUT_LIMIT - 1024;

test.each([
  [3, 5, 3, 5],
  [OUTPUT_LIMIT, 0, ROOM, 0],
  [0, OUTPUT_LIMIT, 0, ROOM],
  [OUTPUT_LIMIT, 7, ROOM - 7, 7],
  [7, OUTPUT_LIMIT, 7, ROOM - 7],
  [OUTPUT_LIMIT, OUTPUT_LIMIT, ROOM / 2, ROOM / 2],
])('of %d bytes of stdout and %d of stderr, %d and %d stay', (stdout, stderr, keptOut, keptErr) => {
  const cut = cutToFit({ stdout: Buffer.alloc(stdout), stderr: Buffer.alloc(stderr) });
  expect([cut.stdout.length, cut.stderr.length]).toEqual([keptOut, keptErr]);
});
