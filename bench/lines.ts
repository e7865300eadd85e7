import type { Row } from './goals.ts';
import { rowOf } from './goals.ts';
import type { SideName } from './sides.ts';
import type { Times } from './times.ts';
import { COLUMNS } from './times.ts';

/** What was measured of one thing by one side. */
export interface Figure {
  readonly median: number;
  readonly p90: number;
  readonly count: number;
}

/** One row: the figures of all who have any. */
export interface Line extends Row {
  readonly label: string;
  readonly values: Readonly<Partial<Record<SideName | 'floor', Figure>>>;
  /** cristal's median divided by the other's; null where one is missing. */
  readonly ratio: number | null;
}

/** A line for every label, in the order in which they were measured. */
export function linesOf(times: Times): Line[] {
  const labels = new Set(COLUMNS.flatMap((column) => [...times[column].keys()]));
  return [...labels].map((label) => lineOf(label, times));
}

function lineOf(label: string, times: Times): Line {
  const figures = COLUMNS.map((column) => [column, times[column].get(label)] as const)
    .filter((entry): entry is [SideName | 'floor', number[]] => entry[1] !== undefined)
    .map(([column, values]) => [column, figureOf(values)] as const);
  const values = Object.fromEntries(figures) as Line['values'];
  const { cristal, builtin } = values;
  const ratio = cristal && builtin ? round(cristal.median / builtin.median) : null;
  return { label, ...rowOf(label), values, ratio };
}

function figureOf(values: readonly number[]): Figure {
  const [median, p90] = [quantile(values, 0.5), quantile(values, 0.9)];
  return { median: round(median), p90: round(p90), count: values.length };
}

/** The value that a share of them do not exceed; not a number when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** To three digits or so, which is more than the machine's noise allows. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Whether the goal was reached; null where there is none, or nothing to compare it with. */
export function reached({ goal, ratio, values }: Line): boolean | null {
  const value = goal?.of === 'ratio' ? ratio : (values.cristal?.median ?? null);
  if (goal === null || value === null) return null;
  return goal.at === 'most' ? value <= goal.limit : value >= goal.limit;
}
