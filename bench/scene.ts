import type { Bench, SideName } from './sides.ts';
import { SIDES } from './sides.ts';
import type { Times } from './times.ts';
import { noTimes } from './times.ts';

/** What a scene measures into. */
export interface Stage {
  readonly times: Times;
  /** At so many pods on each side `many-pods` stops and looks. */
  readonly pods: readonly number[];
  /** As many of the rounds as this run makes; one at least. */
  rounds(full: number): number;
  /** A sentence that is shown with the results. */
  note(text: string): void;
  /** Registers an undo for when the sides and all that ran on them are gone, however the scene ends. */
  afterwards(undo: () => void): void;
}

/** One part of the whole run. Its rows belong to it alone. */
export interface Scene {
  /** By which `--only` knows it. */
  readonly name: string;
  /** What it does, as the report says it. */
  readonly what: string;
  /** Gets both sides newly started, with nothing on them, and may leave pods: they go with the sides. */
  readonly play?: (stage: Stage, bench: Bench) => Promise<void>;
  /** In place of `play`, by a scene that needs neither side. */
  readonly simulate?: (stage: Stage) => Promise<void>;
}

/** Whose turn it is, and where what it took goes. */
export interface Turn {
  readonly side: SideName;
  /** Counts from 0, and the same for both sides. */
  readonly round: number;
  readonly times: Times;
}

/** A B A B: each side in turn, and so many rounds first that do not count. */
export async function inTurns(
  stage: Stage,
  { rounds, warmUp }: { rounds: number; warmUp: number },
  act: (turn: Turn) => Promise<void>,
): Promise<void> {
  const counted = stage.rounds(rounds);
  for (let round = 0; round < warmUp + counted; round++) {
    const times = round < warmUp ? noTimes() : stage.times;
    for (const side of SIDES) await act({ side, round, times });
  }
}
