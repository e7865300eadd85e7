import type { StuckView, TraceSummary } from '../observe/views.ts';
import { formatDuration } from './format-duration.ts';
import { shortIds } from './short-ids.ts';
import { renderTable } from './table.ts';

export interface TraceList {
  latest: TraceSummary[];
  slowest: TraceSummary[];
}

/** How many of the latest calls are shown; the rest is in the JSON. */
const SHOWN = 30;

export function renderTraces({ latest, slowest }: TraceList): string {
  if (latest.length === 0) return 'no calls yet\n';
  const more = latest.length > SHOWN ? `(${latest.length - SHOWN} more with --json)\n` : '';
  return [
    `LATEST\n${traceTable(latest.slice(0, SHOWN))}${more}`,
    ...(slowest.length === 0 ? [] : [`SLOWEST OF EACH KIND\n${traceTable(slowest)}`]),
  ].join('\n');
}

/** What runs now, oldest first, one line for each stage that it is in. */
export function renderStuck(running: readonly StuckView[]): string {
  if (running.length === 0) return 'nothing runs\n';
  const rows = running.flatMap(({ id, name, target, ms, stages }) => {
    const own = stages.length === 0 ? [['', '']] : stages.map((stage) => stageCells(stage));
    return own.map(([path = '', time = ''], place) =>
      place === 0
        ? [String(id), name, shortIds(target), formatDuration(ms), path, time]
        : ['', '', '', '', path, time],
    );
  });
  return renderTable([['ID', 'CALL', 'TARGET', 'FOR', 'STAGE', 'FOR'], ...rows]);
}

function stageCells({ path, ms }: StuckView['stages'][number]): string[] {
  return [path.join(' › '), formatDuration(ms)];
}

function traceTable(traces: readonly TraceSummary[]): string {
  const rows = traces.map(({ id, name, target, startedAt, ms, code }) => [
    String(id),
    name,
    shortIds(target),
    startedAt,
    formatDuration(ms),
    code ?? 'running',
  ]);
  return renderTable([['ID', 'CALL', 'TARGET', 'START', 'TIME', 'CODE'], ...rows]);
}
