import type { Line } from './lines.ts';
import { reached } from './lines.ts';

const WIDTH = 760;
const LEFT = 330;
const ROW = 22;
const TOP = 44;
/** Ratios beyond this end at the edge. */
const FARTHEST = 2;

/** The ratios as bars to the left and right of 1, where both sides are alike: left is better. */
export function drawChart(lines: readonly Line[]): string {
  const shown = lines.filter(isCompared);
  const height = TOP + ROW * shown.length + 16;
  const middle = xOf(1);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="8" y="18" font-size="14">cristal's share of what containerd 2.3's own CRI takes</text>`,
    `<text x="${middle}" y="36" text-anchor="middle">alike</text>`,
    ...shown.map(bar),
    `<line x1="${middle}" y1="${TOP - 4}" x2="${middle}" y2="${height - 8}" stroke="black"/>`,
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

type Compared = Line & { readonly ratio: number };

function isCompared(line: Line): line is Compared {
  return line.ratio !== null && Number.isFinite(line.ratio) && line.ratio > 0;
}

function bar(line: Compared, place: number): string {
  const y = TOP + ROW * place;
  // A rate counts as the time that one takes.
  const share = line.better === 'less' ? line.ratio : 1 / line.ratio;
  const [from, to] = [xOf(share), xOf(1)].toSorted((a, b) => a - b) as [number, number];
  const colour = reached(line) === false ? '#c0504d' : share <= 1 ? '#4f9d69' : '#c9a227';
  return [
    `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${line.label}</text>`,
    `<rect x="${from}" y="${y + 3}" width="${Math.max(1, to - from)}" height="${ROW - 6}" fill="${colour}"/>`,
    `<text x="${WIDTH - 8}" y="${y + 14}" text-anchor="end">${share.toFixed(2)}</text>`,
  ].join('');
}

/** Halves and doubles are as far from 1 as each other. */
function xOf(share: number): number {
  const bounded = Math.min(Math.max(share, 1 / 32), FARTHEST);
  const span = WIDTH - LEFT - 50;
  const lowest = Math.log2(1 / 32);
  return Math.round(LEFT + (span * (Math.log2(bounded) - lowest)) / (Math.log2(FARTHEST) - lowest));
}
