import type { Goal } from './goals.ts';
import type { Figure, Line } from './lines.ts';
import { reached } from './lines.ts';
import type { SceneResult } from './results.ts';

/** All results as a page of Markdown, whose tables are also fit for a terminal. */
export function reportText(scenes: readonly SceneResult[]): string {
  const intro = `# Figures of \`npm run bench\`

Made by the bench, not by hand; [performance.md](../performance.md) says what they mean. Each row: medians (90th percentiles), in ms where nothing else is said; ratio is cristal's median divided by that of containerd 2.3's own CRI.`;
  return `${[intro, ...scenes.map(sceneText), floorText(scenes)].filter((part) => part !== '').join('\n\n')}\n`;
}

/** One scene: when and how it was played, what it gave. */
export function sceneText(result: SceneResult): string {
  const { name, what, date, processors, load, disk, scale, notes } = result;
  const share = scale === 1 ? '' : `, ${scale} of the usual rounds`;
  const where = `${date.slice(0, 16).replace('T', ' ')} UTC, ${processors} processors, load ${load.toFixed(1)} at its start, state in memory, the rest on ${disk}${share}.`;
  const lines = result.lines.filter(({ values }) => values.cristal ?? values.builtin);
  const table = tableText(['', 'cristal', 'containerd 2.3', 'ratio', 'goal'], lines.map(cellsOf));
  const parts = [`## ${name}`, `${what} ${where}`, lines.length > 0 ? table : '', ...notes];
  return parts.filter((part) => part !== '').join('\n\n');
}

function cellsOf(line: Line): string[] {
  const { values, ratio } = line;
  const shown = ratio === null ? '' : ratio.toFixed(2);
  return [nameOf(line), figureText(values.cristal), figureText(values.builtin), shown, goalText(line)];
}

function nameOf({ label, unit }: Line): string {
  return unit === 'ms' ? label : `${label}, ${unit}`;
}

function figureText(figure: Figure | undefined): string {
  if (!figure) return '';
  return figure.count === 1 ? `${figure.median}` : `${figure.median} (${figure.p90})`;
}

function goalText(line: Line): string {
  const verdict = reached(line);
  if (line.goal === null || verdict === null) return '';
  return `${limitText(line.goal)} ${verdict ? 'yes' : '**no**'}`;
}

function limitText({ of, at, limit }: Goal): string {
  return `${at === 'most' ? '≤' : '≥'} ${limit}${of === 'ratio' ? '×' : ''}`;
}

/** How far above the floor each side is, for every row that has one; the rows' scenes may be of another date. */
export function floorText(scenes: readonly SceneResult[]): string {
  const lines = scenes.flatMap((scene) => scene.lines);
  const rows = lines.flatMap((line) => {
    const floor = line.values.floor;
    const sides = lines.find(({ label, values }) => label === line.label && values.cristal)?.values;
    if (!floor) return [];
    const above = (figure?: Figure) => {
      if (!figure) return '';
      const more = figure.median - floor.median;
      return `${more < 0 ? '−' : '+'}${Math.abs(more).toFixed(1)} (${(figure.median / floor.median).toFixed(2)}×)`;
    };
    return [[nameOf(line), figureText(floor), above(sides?.cristal), above(sides?.builtin)]];
  });
  if (rows.length === 0) return '';
  return `## Above the floor

${tableText(['', 'floor', 'cristal above it', 'containerd 2.3 above it'], rows)}`;
}

/** A Markdown table in columns of even width. The first is text, the others end at the right. */
function tableText(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lineFrom = (cells: readonly string[]): string => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? '';
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [lineFrom(header), lineFrom(rule), ...rows.map(lineFrom)].join('\n');
}
