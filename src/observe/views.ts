import type { AttributeValue, Span, SpanCode, Tree } from '../lib/trace.ts';
import { duration } from './kept-traces.ts';

/* What the debug socket tells, as JSON. Times are milliseconds; those of what still runs are so far. */

export interface SpanView {
  kind: string;
  name: string;
  /** After the start of the trace that was asked for; below zero for work that began before it. */
  start: number;
  ms: number;
  /** Null while it runs. */
  code: SpanCode | null;
  error?: string;
  attributes?: Record<string, AttributeValue>;
  children?: SpanView[];
  /** The root of the work that this one waits for. */
  waitsFor?: SpanView;
}

export interface TraceSummary {
  id: number;
  kind: string;
  name: string;
  /** What it is about; empty for nothing in particular. */
  target: string;
  /** RFC 3339. */
  startedAt: string;
  ms: number;
  code: SpanCode | null;
}

export interface TraceView extends TraceSummary {
  /** Spans that were not kept. */
  dropped: number;
  root: SpanView;
}

export interface StuckView extends TraceSummary {
  /** The innermost stages that run, each with those around it, outermost first; none right after the start. */
  stages: { path: string[]; ms: number }[];
}

/** Work waits for work for a few levels at most; a circle would be a deadlock, and must not be our end too. */
const MAX_DEPTH = 5;

export function summaryOf(tree: Tree): TraceSummary {
  const { kind, name, attributes, code } = tree.root;
  const target = attributes?.['target'] ?? attributes?.['of'] ?? '';
  return {
    id: tree.id,
    kind,
    name,
    target: String(target),
    startedAt: new Date(tree.wallMs).toISOString(),
    ms: duration(tree),
    code,
  };
}

export function traceOf(tree: Tree): TraceView {
  return { ...summaryOf(tree), dropped: tree.dropped, root: spanView(tree.root, tree.root.start, 0) };
}

/** A tree that runs: where it is. */
export function stuckOf(tree: Tree): StuckView {
  return { ...summaryOf(tree), stages: runningBelow(tree.root, [], 0) };
}

function spanView(own: Span, zero: number, depth: number): SpanView {
  const { kind, name, start, code, error, attributes, children, link } = own;
  return {
    kind,
    name,
    start: start - zero,
    ms: ageOf(own),
    code,
    ...(error === null ? {} : { error }),
    ...(attributes === null ? {} : { attributes }),
    ...(children === null ? {} : { children: children.map((child) => spanView(child, zero, depth)) }),
    ...(link === null || depth >= MAX_DEPTH ? {} : { waitsFor: spanView(link.root, zero, depth + 1) }),
  };
}

/**
 * The innermost stages that run. A stage may outlast the phase in which it began, and a phase goes on until
 * the next one: it is the answer only where nothing runs in any of them.
 */
function runningBelow(own: Span, path: string[], depth: number): StuckView['stages'] {
  if (own.link && own.link.root.end === null && depth < MAX_DEPTH) {
    return runningBelow(own.link.root, [...path.slice(0, -1), labelOf(own.link.root)], depth + 1);
  }
  const found = (own.children ?? []).flatMap((child) =>
    runningBelow(child, [...path, labelOf(child)], depth),
  );
  if (found.length > 0) return found;
  const on = (own.children ?? []).find(({ kind, end }) => kind === 'phase' && end === null);
  if (on) return [{ path: [...path, labelOf(on)], ms: ageOf(on) }];
  return own.end !== null || own.kind === 'phase' || path.length === 0 ? [] : [{ path, ms: ageOf(own) }];
}

function ageOf({ start, end }: Span): number {
  return (end ?? performance.now()) - start;
}

/** A stage in words. */
export function labelOf({ kind, name }: Pick<SpanView, 'kind' | 'name'>): string {
  if (kind === 'rpc' || kind === 'phase') return name;
  return kind === name ? kind : `${kind} ${name}`;
}
