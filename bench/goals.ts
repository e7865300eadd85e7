/** What is to be reached: by cristal's median over the other's, or by cristal's median alone. */
export interface Goal {
  readonly of: 'ratio' | 'cristal';
  readonly at: 'most' | 'least';
  readonly limit: number;
}

/** What is known of a row. */
export interface Row {
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly goal: Goal | null;
}

/** A row in milliseconds, with the share of containerd's that it may take. */
const share = (limit: number): Partial<Row> => ({ goal: { of: 'ratio', at: 'most', limit } });

/** A rate, with what it must be of containerd's. */
const rate = (unit: string, limit: number): Partial<Row> => ({
  unit,
  better: 'more',
  goal: { of: 'ratio', at: 'least', limit },
});

/** What cristal may have at most, whatever the other has. */
const bound = (unit: string, limit: number): Partial<Row> => ({
  unit,
  goal: { of: 'cristal', at: 'most', limit },
});

/** The goals are those of the issues "Measured side by side" and "Images in full". The first that fits counts. */
const ROWS: readonly [RegExp, Partial<Row>][] = [
  [/^RunPodSandbox$/, share(0.4)],
  [/^pod (up|down)$/, share(0.6)],
  [/^ExecSync/, share(0.9)],
  [/^pods up,/, rate('pods/s', 1.6)],
  [/^pods down,/, rate('pods/s', 2)],
  [/^log lines/, rate('MiB/s', 4)],
  [/^(ListContainers|ListPodSandbox|ContainerStatus), /, share(1)],
  [/^ListContainerStats, /, share(0.1)],
  [/^(exec|port-forward) (in|out), /, share(1)],
  [/^pull of /, share(1.1)],
  [/^peak RSS, pull of /, bound('MiB', 200)],
  [/^RSS of the daemon, 100 pods/, bound('MiB', 130)],
  [/^processor at rest, 100 pods/, bound('% of a core', 2)],
  [/^processor at rest/, { unit: '% of a core' }],
  [/^(peak )?[RP]SS/, { unit: 'MiB' }],
];

/** What is known of the row of that label. */
export function rowOf(label: string): Row {
  const known = ROWS.find(([pattern]) => pattern.test(label))?.[1] ?? {};
  return { unit: 'ms', better: 'less', goal: null, ...known };
}
