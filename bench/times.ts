import type { SideName } from './sides.ts';
import { SIDES } from './sides.ts';

/** For each side, what was measured of each row: milliseconds, mostly. */
export type Times = Record<SideName, Map<string, number[]>>;

export function noTimes(): Times {
  return { cristal: new Map(), builtin: new Map() };
}

/** Does something, and adds how long it took. */
export async function timed<T>(
  times: Map<string, number[]>,
  label: string,
  act: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const result = await act();
  add(times, label, performance.now() - start);
  return result;
}

/**
 * Medians of both sides and their ratio; a side that has none gets a dash. `more` is put behind each row,
 * and behind the title, for which it gets ''.
 */
export function printTable(title: string, times: Times, more: (label: string) => string = () => ''): void {
  const lines = [`${title.padEnd(36)}   cristal  containerd 2.3 CRI   ratio${more('')}`];
  for (const label of new Set(SIDES.flatMap((side) => [...times[side].keys()]))) {
    const [ours, theirs] = [median(times.cristal.get(label) ?? []), median(times.builtin.get(label) ?? [])];
    const cells = cell(ours, 1, 10) + cell(theirs, 1, 20) + cell(ours / theirs, 2, 8);
    lines.push(`${label.padEnd(36)}${cells}${more(label)}`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

function cell(value: number, digits: number, width: number): string {
  return (Number.isNaN(value) ? '-' : value.toFixed(digits)).padStart(width);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that a share of them do not exceed; not a number when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function add(times: Map<string, number[]>, label: string, value: number): void {
  times.set(label, [...(times.get(label) ?? []), value]);
}
