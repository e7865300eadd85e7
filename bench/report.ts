import { cpus } from 'node:os';
import type { SideName } from './sides.ts';
import { SIDES } from './sides.ts';
import type { Times } from './times.ts';
import { median, quantile } from './times.ts';

/** One line: both sides' medians and 90th percentiles. */
export interface Line {
  readonly label: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly values: Readonly<Record<SideName, { median: number; p90: number; count: number }>>;
  /** cristal's median divided by the other's. */
  readonly ratio: number;
  /** What the ratio is to be at most, or at least where more is better. Null for none. */
  readonly goal: number | null;
}

/** One run, as it is written down. */
export interface Report {
  readonly date: string;
  readonly processors: number;
  readonly pods: number;
  readonly lines: readonly Line[];
}

interface Row {
  readonly unit?: string;
  readonly better?: 'more';
  readonly goal?: number;
}

/** What is known of each row, by the beginning of its label. The goals are those of the project. */
const ROWS: readonly [string, Row][] = [
  ['RunPodSandbox', { goal: 0.4 }],
  ['pod up beside', {}],
  ['pod up', { goal: 0.6 }],
  ['pod down', { goal: 0.6 }],
  ['ExecSync', { goal: 0.9 }],
  ['pods up', { unit: 'pods/s', better: 'more', goal: 1.6 }],
  ['pods down', { unit: 'pods/s', better: 'more', goal: 2 }],
  ['ListContainerStats', { goal: 0.1 }],
  ['ListContainers', { goal: 1 }],
  ['ListPodSandbox', { goal: 1 }],
  ['ContainerStatus', { goal: 1 }],
  ['log lines', { unit: 'MiB/s', better: 'more', goal: 4 }],
  ['processor', { unit: '% of a core' }],
  ['RSS', { unit: 'MiB' }],
  ['PSS', { unit: 'MiB' }],
];

export function reportOf(times: Times, pods: number): Report {
  const labels = new Set(SIDES.flatMap((side) => [...times[side].keys()]));
  return {
    date: new Date().toISOString(),
    processors: cpus().length,
    pods,
    lines: [...labels].map((label) => lineOf(label, times)),
  };
}

function lineOf(label: string, times: Times): Line {
  const {
    unit = 'ms',
    better = 'less',
    goal = null,
  } = ROWS.find(([start]) => label.startsWith(start))?.[1] ?? {};
  const of = (side: SideName) => {
    const values = times[side].get(label) ?? [];
    return { median: round(median(values)), p90: round(quantile(values, 0.9)), count: values.length };
  };
  const values = { cristal: of('cristal'), builtin: of('builtin') };
  return { label, unit, better, values, ratio: round(values.cristal.median / values.builtin.median), goal };
}

/** To three digits or so, which is more than the machine's noise allows. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Whether the goal was reached; null where there is none. */
export function reached({ better, ratio, goal }: Line): boolean | null {
  if (goal === null) return null;
  return better === 'less' ? ratio <= goal : ratio >= goal;
}

function cell({ median: middle, p90 }: Line['values']['cristal']): string {
  return `${middle} (${p90})`.padStart(18);
}

export function printReport({ lines }: Report): void {
  const header = `${''.padEnd(32)}${'cristal'.padStart(18)}${'containerd 2.3'.padStart(18)}${'ratio'.padStart(8)}  goal`;
  const shown = lines.map((line) => {
    const { label, unit, values, ratio, better, goal } = line;
    const limit =
      goal === null ? '' : `${better === 'less' ? '<=' : '>='} ${goal} ${reached(line) ? 'yes' : 'NO'}`;
    const name = unit === 'ms' ? label : `${label}, ${unit}`;
    return `${name.padEnd(32)}${cell(values.cristal)}${cell(values.builtin)}${ratio.toFixed(2).padStart(8)}  ${limit}`;
  });
  process.stdout.write(
    `${['median (p90), in ms where nothing else is said', header, ...shown].join('\n')}\n`,
  );
}
