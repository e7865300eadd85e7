import type { SpanView, TraceView } from '../observe/views.ts';
import { labelOf } from '../observe/views.ts';
import { formatBytes } from './format-bytes.ts';
import { formatDuration } from './format-duration.ts';
import { shortIds } from './short-ids.ts';

export interface Screen {
  /** In characters. */
  readonly width: number;
  /** Whether it is a terminal that shows colours. */
  readonly colours: boolean;
}

interface Row {
  readonly label: string;
  readonly own: SpanView;
}

/** How much of the width the names of the stages may take. */
const LABEL_SHARE = 0.55;
const TIME_WIDTH = 9;
const MIN_BAR = 10;

const RED = 31;
const GREEN = 32;
const YELLOW = 33;
const DIM = 2;

/** A trace as lines: each stage with its time, and a bar that shows when it was. */
export function renderWaterfall(trace: TraceView, screen: Screen): string {
  const { id, name, target, startedAt, ms, code, dropped } = trace;
  const paint = painter(screen);
  const rows = rowsOf(trace.root);
  const longest = Math.max(...rows.map(({ label }) => label.length));
  const labelWidth = Math.min(longest, Math.floor(screen.width * LABEL_SHARE));
  const barWidth = Math.max(MIN_BAR, screen.width - labelWidth - TIME_WIDTH - 4);
  const span = spanOfTime(rows);
  const lines = rows.map(({ label, own }) => {
    const time = formatDuration(own.ms).padStart(TIME_WIDTH);
    const bar = barOf(own, { ...span, width: barWidth, mark: screen.colours ? '█' : '=' });
    const shown = clip(label, labelWidth).padEnd(labelWidth);
    return `${shown} ${paint(time, DIM)}  ${paint(bar, colourOf(own.code))}`.trimEnd();
  });
  const errors = sourcesOf(trace.root).map(
    (own) => `${paint(`${labelOf(own)}: ${own.code}`, RED)}: ${own.error}`,
  );
  const head = [`trace ${id}`, name, shortIds(target), code ?? 'running', formatDuration(ms), startedAt];
  return [
    head.filter((part) => part !== '').join('  '),
    '',
    ...lines,
    ...(dropped > 0 ? ['', `${dropped} more stages were not kept`] : []),
    ...(errors.length > 0 ? ['', ...new Set(errors)] : []),
    '',
  ].join('\n');
}

/** All stages in the order of a tree, with its branches drawn in front. */
function rowsOf(root: SpanView): Row[] {
  const rows: Row[] = [];
  const add = (own: SpanView, first: string, rest: string) => {
    rows.push({ label: first + described(own), own });
    const below = own.waitsFor ? [own.waitsFor, ...(own.children ?? [])] : (own.children ?? []);
    for (const [place, child] of below.entries()) {
      const last = place === below.length - 1;
      add(child, `${rest}${last ? '└ ' : '├ '}`, `${rest}${last ? '  ' : '│ '}`);
    }
  };
  add(root, '', '');
  return rows;
}

/** Name, result and what is known besides, shortest first, since the end may be cut off. */
function described(own: SpanView): string {
  // An operation says in `of` what the call around it says as well.
  const { target, bytes, of: _, ...rest } = own.attributes ?? {};
  const more = [
    ...(typeof bytes === 'number' ? [formatBytes(bytes)] : []),
    ...(target === undefined ? [] : [shortIds(String(target))]),
    ...Object.entries(rest).map(([key, value]) =>
      typeof value === 'string' ? shortIds(value) : `${key}=${value}`,
    ),
  ];
  const result = own.code === null ? ' (running)' : own.code === 'ok' ? '' : ` (${own.code})`;
  return [`${labelOf(own)}${result}`, ...more].join(' ');
}

/** Where errors come from: what only passes on the words of a stage within says nothing new. */
function sourcesOf(own: SpanView): SpanView[] {
  const below = [...(own.waitsFor ? [own.waitsFor] : []), ...(own.children ?? [])].flatMap(sourcesOf);
  const isNew = !below.some(({ error = '' }) => own.error?.includes(error));
  return own.error !== undefined && isNew ? [own, ...below] : below;
}

/** From the first start to the last end. Work that was joined began before the trace. */
function spanOfTime(rows: readonly Row[]): { from: number; to: number } {
  return {
    from: Math.min(...rows.map(({ own }) => own.start)),
    to: Math.max(...rows.map(({ own }) => own.start + own.ms)),
  };
}

function barOf(
  { start, ms, code }: SpanView,
  { from, to, width, mark }: { from: number; to: number; width: number; mark: string },
): string {
  const perMs = to > from ? width / (to - from) : 0;
  const before = Math.min(width - 1, Math.floor((start - from) * perMs));
  const length = Math.min(width - before, Math.max(1, Math.round(ms * perMs)));
  return ' '.repeat(before) + mark.repeat(length) + (code === null ? '>' : '');
}

function colourOf(code: SpanView['code']): number {
  if (code === null) return YELLOW;
  return code === 'ok' ? GREEN : RED;
}

function painter({ colours }: Screen): (text: string, colour: number) => string {
  return (text, colour) => (colours ? `\u001B[${colour}m${text}\u001B[0m` : text);
}

function clip(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
