/** One sample of a metric. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Family {
  name: string;
  type: string;
  samples: Sample[];
}

const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const VALUE = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN`;

/**
 * Reads the text format of Prometheus, version 0.0.4, and throws at the first line that is against it:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function parsePrometheus(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  let family: Family | null = null;
  let helped = '';
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const help = new RegExp(`^# HELP (${NAME}) (\\S.*)$`).exec(line);
    const type = new RegExp(`^# TYPE (${NAME}) (\\w+)$`).exec(line);
    if (help) helped = help[1] ?? '';
    else if (type) family = begin(families, helped, type[1] ?? '', type[2] ?? '');
    else if (line.startsWith('#') || family === null) throw new Error(`not a line of a metric: ${line}`);
    else family.samples.push(sampleFrom(line, family));
  }
  for (const one of families.values()) check(one);
  return [...families.values()].flatMap(({ samples }) => samples);
}

function begin(families: Map<string, Family>, helped: string, name: string, type: string): Family {
  if (helped !== name) throw new Error(`${name}: no help before its type`);
  if (families.has(name)) throw new Error(`${name}: twice`);
  if (!TYPES.includes(type)) throw new Error(`${name}: no such type: ${type}`);
  const family = { name, type, samples: [] };
  families.set(name, family);
  return family;
}

function sampleFrom(line: string, { name: of, type }: Family): Sample {
  const found = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (${VALUE})$`).exec(line);
  if (!found) throw new Error(`not a sample: ${line}`);
  const [, name = '', labels = '', value = ''] = found;
  const suffixes =
    type === 'histogram' ? ['_bucket', '_sum', '_count'] : type === 'summary' ? ['', '_sum', '_count'] : [''];
  if (!suffixes.some((suffix) => name === of + suffix)) throw new Error(`${name} stands below ${of}`);
  return { name, labels: labelsFrom(labels, line), value: Number(value.replace('Inf', 'Infinity')) };
}

function labelsFrom(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const one = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
  while (one.lastIndex < text.length) {
    const found = one.exec(text);
    if (!found) throw new Error(`labels cannot be read: ${line}`);
    const [, name = '', value = ''] = found;
    if (name in labels) throw new Error(`label ${name} twice: ${line}`);
    labels[name] = value;
  }
  return labels;
}

function check({ name, type, samples }: Family): void {
  const seen = new Set<string>();
  for (const sample of samples) {
    const series = `${sample.name} ${keyOf(sample.labels)}`;
    if (seen.has(series)) throw new Error(`${series}: twice`);
    seen.add(series);
  }
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0)))
    throw new Error(`${name}: below zero`);
  if (type === 'histogram') checkHistogram(name, samples);
}

/** Buckets go up and each holds those below it; the last one holds all. */
function checkHistogram(name: string, samples: Sample[]): void {
  const groups = Map.groupBy(samples, ({ labels }) => keyOf({ ...labels, le: '' }));
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number((labels['le'] ?? 'NaN').replace('Inf', 'Infinity')));
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    const sum = group.find((sample) => sample.name === `${name}_sum`)?.value;
    const right =
      rises(bounds) &&
      rises(buckets.map(({ value }) => value)) &&
      bounds.at(-1) === Infinity &&
      sum !== undefined;
    if (!right || buckets.at(-1)?.value !== count) throw new Error(`${name}: bad histogram ${key}`);
  }
}

function keyOf(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function rises(values: number[]): boolean {
  return values.every((value, place) => value >= (values[place - 1] ?? 0));
}
