import type { SideName } from './sides.ts';
import { SIDES } from './sides.ts';

/** The sides, and what no CRI server can do without: the same work by the most direct calls. */
export const COLUMNS = [...SIDES, 'floor'] as const;

/** For each column, what was measured of each row: milliseconds, mostly. */
export type Times = Record<SideName | 'floor', Map<string, number[]>>;

export function noTimes(): Times {
  return { cristal: new Map(), builtin: new Map(), floor: new Map() };
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

export function add(times: Map<string, number[]>, label: string, value: number): void {
  const values = times.get(label);
  if (values) values.push(value);
  else times.set(label, [value]);
}
