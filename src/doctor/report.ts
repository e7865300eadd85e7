import { messageOf } from '../lib/fault.ts';
import type { Finding } from './diagnose.ts';
import type { Fixed } from './fix.ts';

/** What one run of the doctor has to tell. */
export interface Report {
  readonly findings: readonly Finding[];
  /** Empty unless it was to fix, and could. */
  readonly fixed: readonly Fixed[];
  /** Why nothing was fixed although it was asked for; null otherwise. */
  readonly refused: string | null;
}

/** A line for each finding: what it is, why, and what was or would be done. */
export function reportText({ findings, fixed, refused }: Report): string {
  const outcome = new Map(fixed.map(({ finding, error }) => [finding, error]));
  const lines = findings.map((finding) => {
    const error = outcome.get(finding);
    const done = error === null ? 'done: ' : '--fix would: ';
    const act = finding.fix === null ? 'left alone' : `${done}${finding.fix}`;
    const failed = error === null || error === undefined ? '' : `; tried, and failed: ${messageOf(error)}`;
    return `${finding.what} (${finding.why}); ${act}${failed}`;
  });
  const total = findings.length === 0 ? 'nothing is amiss' : `${findings.length} found`;
  const cleaned = fixed.length === 0 ? '' : `, ${fixed.filter(({ error }) => error === null).length} cleaned`;
  const why = refused === null ? '' : `; nothing was cleaned: ${refused}`;
  return [...lines, `${total}${cleaned}${why}`, ''].join('\n');
}

/** The same for programs. */
export function reportJson({ findings, fixed, refused }: Report): string {
  const outcome = new Map(fixed.map(({ finding, error }) => [finding, error]));
  const told = findings.map((finding) => {
    const { kind, id, what, why, fix } = finding;
    const error = outcome.get(finding);
    const base = { kind, id, what, why, fix, fixed: error === null };
    return error === null || error === undefined ? base : { ...base, error: messageOf(error) };
  });
  return `${JSON.stringify({ findings: told, refused }, null, 2)}\n`;
}

/** 0 when nothing is amiss, or no longer. */
export function exitCodeOf({ findings, fixed }: Report): number {
  const cleaned = fixed.filter(({ error }) => error === null).length;
  return findings.length > cleaned ? 1 : 0;
}
