import { join } from 'node:path';
import { parseArgs } from 'node:util';

export interface Options {
  /** Names of the scenes to play, in the order of all scenes. */
  readonly only: readonly string[];
  /** How much of the usual number of rounds. */
  readonly scale: number;
  /** Ascending. */
  readonly pods: readonly number[];
  /** Where results are kept. */
  readonly out: string;
}

/** Reads the command line; throws with what is wrong with it. */
export function readOptions(args: string[], scenes: readonly string[]): Options {
  const options = {
    only: { type: 'string', default: scenes.join() },
    scale: { type: 'string', default: '1' },
    pods: { type: 'string', default: '10,60,100,300' },
    out: { type: 'string', default: join(import.meta.dirname, '../docs/performance') },
  } as const;
  const { values } = parseArgs({ args, options });
  const wanted = values.only.split(',');
  const scale = Number(values.scale);
  const pods = values.pods.split(',').map(Number);
  const unknown = wanted.find((name) => !scenes.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: no such scene; there are ${scenes.join()}`);
  if (!(scale > 0)) throw new Error(`--scale ${values.scale}: not a number above 0`);
  if (!pods.every((count) => Number.isInteger(count) && count > 0)) {
    throw new Error(`--pods ${values.pods}: not whole numbers above 0`);
  }
  return {
    only: scenes.filter((name) => wanted.includes(name)),
    scale,
    pods: pods.toSorted((a, b) => a - b),
    out: values.out,
  };
}
